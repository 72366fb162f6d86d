"""Topics, through kafka-python's admin client.

A topic keeps its records for a time and is never compacted: compaction would remove records that
were acknowledged and not landed yet. For the same reason the broker stamps the time of a record
(`LogAppendTime`): with the producer's own time, retention would delete a record that tells of
last year as soon as it arrived.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import KafkaError, RetriableError, TopicAlreadyExistsError

from millrace.apply.steps import Action, Step, lost_means_down, require
from millrace.contracts import Contract
from millrace.contracts.names import DEAD_LETTER_SUFFIX
from millrace.errors import MillraceError
from millrace.settings import Settings

DAY_MS = 24 * 60 * 60 * 1000
REQUEST_TIMEOUT_MS = 30_000
CONFIG = "config"
SERVICE = "Kafka"
#: A dead letter is the largest record that its topic takes, and the headers that say why.
DEAD_LETTER_BYTES = 16 * 1024 * 1024


def topic_settings(contract: Contract) -> dict[str, str]:
    """The settings that a contract's topic has beside the broker's defaults."""
    settings = {
        "cleanup.policy": "delete",
        "message.timestamp.type": "LogAppendTime",
        "retention.ms": str(contract.topic_retention_days * DAY_MS),
    }
    if contract.topic.endswith(DEAD_LETTER_SUFFIX):
        settings["max.message.bytes"] = str(DEAD_LETTER_BYTES)
    return settings


def plan_topics(settings: Settings, contracts: Iterable[Contract]) -> list[Step]:
    """One step a topic."""
    require(SERVICE, settings.kafka)
    contracts = list(contracts)
    with _admin(settings) as admin:
        partitions = {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics()}
        present = [each.topic for each in contracts if each.topic in partitions]
        found = _settings(admin, present)
    return [
        plan_topic(settings, contract, partitions.get(contract.topic), found.get(contract.topic))
        for contract in contracts
    ]


def plan_topic(
    settings: Settings,
    contract: Contract,
    partitions: int | None,
    found: dict[str, str] | None,
) -> Step:
    """The step for one topic, of which the broker said how it is; None where there is none."""
    thing = f"topic {contract.topic}"
    wanted = topic_settings(contract)
    if partitions is None or found is None:
        detail = f"{contract.partitions} partitions, {_shown(wanted)}"
        return Step(Action.CREATE, thing, detail, lambda: _create(settings, contract))
    if partitions != contract.partitions:
        # More partitions would send a key's later records to another partition than its earlier
        # ones, and their order would be lost; fewer can not be had.
        detail = (
            f"it has {partitions} partitions and the contract says {contract.partitions}: another"
            " number would part the records of a key"
            f"; write `topicPartitions: {partitions}` in contracts/{contract.dataset}.yaml"
        )
        return Step(Action.REFUSE, thing, detail)
    changed = {key: value for key, value in wanted.items() if found.get(key) != value}
    if not changed:
        return Step(Action.KEEP, thing)
    detail = ", ".join(f"{key}: {found.get(key)} -> {value}" for key, value in changed.items())
    return Step(Action.ALTER, thing, detail, lambda: _alter(settings, contract.topic, changed))


def _create(settings: Settings, contract: Contract) -> None:
    topic = {
        "num_partitions": contract.partitions,
        # The broker's default, so that a larger cluster decides for itself.
        "replication_factor": -1,
        "configs": topic_settings(contract),
    }
    with _admin(settings) as admin:
        try:
            admin.create_topics({contract.topic: topic}, wait_for_metadata=True)
        except TopicAlreadyExistsError:
            # Another apply was faster; whether it made the same shows in the next plan.
            return


def _alter(settings: Settings, topic: str, changed: dict[str, str]) -> None:
    with _admin(settings) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, dict(changed))])


def _settings(admin: Any, topics: list[str]) -> dict[str, dict[str, str]]:
    if not topics:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in topics]
    described = admin.describe_configs(resources, config_filter="all")["topic"]
    return {
        topic: {key: entry["value"] for key, entry in configs.items()}
        for topic, configs in described.items()
    }


def _shown(wanted: dict[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in wanted.items())


@contextmanager
def _admin(settings: Settings) -> Iterator[Any]:
    with lost_means_down(SERVICE, settings.kafka, RetriableError):
        admin = KafkaAdminClient(
            bootstrap_servers=settings.kafka.address,
            client_id="millrace-apply",
            request_timeout_ms=REQUEST_TIMEOUT_MS,
        )
        try:
            yield admin
        except RetriableError:
            raise
        except KafkaError as error:
            raise MillraceError("a topic", str(error), "make logs SERVICE=kafka") from error
        finally:
            admin.close()
