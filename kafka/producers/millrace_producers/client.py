"""The connection of a producer: settings of the client, and errors that say what to do.

librdkafka reconnects for ever and tells its log about it; here its log goes to a Python logger
that nobody prints, and a service that does not answer becomes an error within `ANSWER_SECONDS`.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from confluent_kafka import KafkaException, Producer
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from millrace.contracts import Contract
from millrace.errors import MillraceError, TransientError
from millrace.settings import Settings

#: A healthy broker answers in milliseconds; one that is starting is worth a few seconds.
ANSWER_SECONDS = 8
#: Registries speak Confluent's protocol there.
CONFLUENT_API = "/apis/ccompat/v7"
NOT_FOUND = 404

log = logging.getLogger("millrace.librdkafka")
log.addHandler(logging.NullHandler())
log.propagate = False


def make_producer(settings: Settings, overrides: dict[str, Any] | None = None) -> Producer:
    """An idempotent producer whose records are acknowledged by every replica in sync."""
    return Producer(
        {
            "bootstrap.servers": settings.kafka.address,
            "client.id": "millrace-producers",
            "enable.idempotence": True,
            "acks": "all",
            "compression.type": "lz4",
            "linger.ms": 20,
            # The partition that Java's client and kafka-python choose for the same key.
            "partitioner": "murmur2_random",
            **(overrides or {}),
        },
        logger=log,
    )


def require_topics(producer: Producer, settings: Settings, topics: set[str]) -> None:
    """See that the broker answers and has the topics.

    Raises:
        TransientError: the broker does not answer.
        MillraceError: a topic is missing.
    """
    try:
        known = producer.list_topics(timeout=ANSWER_SECONDS).topics
    except KafkaException as error:
        raise broker_down(settings, f"{error.args[0].str()} for {ANSWER_SECONDS} s") from error
    missing = sorted(topics - set(known))
    if missing:
        raise MillraceError(
            f"topic {', '.join(missing)}", "the broker does not have it", "make apply"
        )


def make_registry(settings: Settings) -> SchemaRegistryClient:
    """A client of the schema registry that fails soon."""
    return SchemaRegistryClient(
        {
            "url": settings.registry.url + CONFLUENT_API,
            "timeout": ANSWER_SECONDS,
            "max.retries": 1,
        }
    )


def require_schema(registry: SchemaRegistryClient, settings: Settings, contract: Contract) -> int:
    """The registry's id of the contract's schema.

    Nothing is registered from here: a schema gets into the registry by `make apply`, with its
    topic and table.

    Raises:
        TransientError: the registry does not answer.
        MillraceError: the contract has not been applied, or has changed since; with what the
            registry has against it, where it would refuse it.
    """
    thing = f"schema {contract.subject}"
    try:
        latest = registry.get_latest_version(contract.subject)
        registered = json.loads(latest.schema.schema_str or "null")
        wanted = contract.registry_schema()
        if registered == wanted:
            assert latest.schema_id is not None
            return latest.schema_id
        schema = Schema(json.dumps(wanted), contract.format.upper())
        if (older := _older_version(registry, contract.subject, schema)) is not None:
            return older
        fits = registry.test_compatibility(contract.subject, schema)
        rule = "" if fits else str(registry.get_compatibility(contract.subject))
    except SchemaRegistryError as error:
        if error.http_status_code == NOT_FOUND:
            cause = f"the contract of {contract.dataset} has not been applied"
            raise MillraceError(thing, cause, "make apply") from error
        raise _registry_down(settings, error) from error
    except Exception as error:  # the client lets its HTTP library's own classes through
        raise _registry_down(settings, error) from error
    if fits:
        cause = f"the contract of {contract.dataset} has changed since it was last applied"
        raise MillraceError(thing, cause, "make plan && make apply")
    # Not at the top: it brings the clients of the lake, which sending does without.
    from millrace.apply.subjects import objection  # noqa: PLC0415

    why = objection(contract, registered, rule, ["its last version and this one do not fit"])
    cause = f"nothing was sent, for {why}"
    raise MillraceError(thing, cause, "make plan  # first change the contract as said there")


def _older_version(registry: SchemaRegistryClient, subject: str, schema: Schema) -> int | None:
    """The id of a schema that is a version of the subject; None where it is none.

    A contract that was changed and changed back is registered as what it was before.
    """
    try:
        return registry.lookup_schema(subject, schema).schema_id
    except SchemaRegistryError as error:
        if error.http_status_code == NOT_FOUND:
            return None
        raise


def broker_down(settings: Settings, why: str) -> TransientError:
    """The error of a broker that does not answer."""
    return TransientError(
        f"Kafka at {settings.kafka.address}",
        f"the broker does not answer ({why})",
        "make up  # or see what ails it: make status; make logs SERVICE=kafka",
    )


def _registry_down(settings: Settings, error: Exception) -> TransientError:
    return TransientError(
        f"schema registry at {settings.registry.address}",
        f"it does not answer ({type(error).__name__}: {error})",
        "make up  # or see what ails it: make status; make logs SERVICE=registry",
    )
