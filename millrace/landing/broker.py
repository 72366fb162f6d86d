"""The log as the broker sees it: ids, first and next offsets of topics, by kafka-python."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from millrace.landing.errors import BrokerUnreachableError, TopicMissingError
from millrace.landing.positions import LogState

REQUEST_TIMEOUT_MS = 15_000


class Log(Protocol):
    """What landing asks of the log."""

    def log_states(self, topics: Iterable[str]) -> dict[str, LogState]:
        """The state of each topic, all of which have to be there."""

    def topic_ids(self, topics: Iterable[str]) -> dict[str, str]:
        """The ids that the topics have now; without those that are not there."""


class Broker:
    """Asks one cluster. Used by one thread."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap

    def log_states(self, topics: Iterable[str]) -> dict[str, LogState]:
        """The state of each topic.

        Raises:
            TopicMissingError: the first topic that is not there.
            BrokerUnreachableError: the broker does not answer.
        """
        wanted = sorted(topics)
        try:
            return self._ask(wanted)
        except KafkaError as error:
            raise BrokerUnreachableError(self._bootstrap, str(error) or repr(error)) from error

    def topic_ids(self, topics: Iterable[str]) -> dict[str, str]:
        """The ids that the topics have now; without those that are not there.

        Raises:
            BrokerUnreachableError: the broker does not answer.
        """
        try:
            described = self._describe(sorted(topics))
        except KafkaError as error:
            raise BrokerUnreachableError(self._bootstrap, str(error) or repr(error)) from error
        return {topic: str(each["topic_id"]) for topic, each in described.items()}

    def _describe(self, topics: list[str]) -> dict[str, Any]:
        """What the broker says of the topics that are there."""
        admin = KafkaAdminClient(
            bootstrap_servers=self._bootstrap, request_timeout_ms=REQUEST_TIMEOUT_MS
        )
        try:
            described = admin.describe_topics(topics)
        finally:
            admin.close()
        return {each["name"]: each for each in described if not each["error_code"]}

    def _ask(self, topics: list[str]) -> dict[str, LogState]:
        described = self._describe(topics)
        for topic in topics:
            if topic not in described:
                raise TopicMissingError(topic)
        places = [
            TopicPartition(topic, partition["partition_index"])
            for topic in topics
            for partition in described[topic]["partitions"]
        ]
        # Only committed records are landed, so the log ends at the last stable offset.
        consumer = KafkaConsumer(
            bootstrap_servers=self._bootstrap, isolation_level="read_committed", group_id=None
        )
        try:
            begins: dict[Any, int] = consumer.beginning_offsets(places)
            ends: dict[Any, int] = consumer.end_offsets(places)
        finally:
            consumer.close()
        return {
            topic: LogState(
                topic_id=str(described[topic]["topic_id"]),
                begins=_of_topic(topic, begins),
                ends=_of_topic(topic, ends),
            )
            for topic in topics
        }


def _of_topic(topic: str, offsets: dict[Any, int]) -> dict[int, int]:
    return {place.partition: offset for place, offset in offsets.items() if place.topic == topic}
