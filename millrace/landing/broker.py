"""The log as the broker sees it: ids, offsets, retention and times of topics, by kafka-python."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError

from millrace.landing.errors import BrokerUnreachableError, TopicMissingError
from millrace.landing.positions import LogState

REQUEST_TIMEOUT_MS = 15_000
#: A broker that has a record sends it at once.
FIRST_RECORDS_WITHIN_S = 15.0
FETCH_BYTES = 16 * 1024

#: (topic, partition)
Place = tuple[str, int]


class Log(Protocol):
    """What landing asks of the log."""

    def log_states(self, topics: Iterable[str]) -> dict[str, LogState]:
        """The state of each topic, all of which have to be there."""

    def topic_ids(self, topics: Iterable[str]) -> dict[str, str]:
        """The ids that the topics have now; without those that are not there."""


class ReadableLog(Log, Protocol):
    """What the status and a rebuild ask beside it."""

    def first_records(self, places: Mapping[Place, int]) -> dict[Place, tuple[int, int]]:
        """Offset and time of the first committed record at or after an offset, where there is one.

        Args:
            places: the offset of each partition; one before the log's beginning counts as that.

        Returns:
            Times in milliseconds since the epoch.
        """

    def retentions_s(self, topics: Iterable[str]) -> dict[str, float | None]:
        """How long each topic keeps a record, None for ever; all of them have to be there."""


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
        with self._reaching():
            return self._ask(sorted(topics))

    def topic_ids(self, topics: Iterable[str]) -> dict[str, str]:
        """The ids that the topics have now; without those that are not there.

        Raises:
            BrokerUnreachableError: the broker does not answer.
        """
        with self._reaching():
            described = self._describe(sorted(topics))
        return {topic: str(each["topic_id"]) for topic, each in described.items()}

    def first_records(self, places: Mapping[Place, int]) -> dict[Place, tuple[int, int]]:
        """Offset and time of the first committed record at or after an offset, where there is one.

        Raises:
            BrokerUnreachableError: the broker does not answer in time.
        """
        if not places:
            return {}
        wanted = {TopicPartition(*place): offset for place, offset in places.items()}
        with self._reaching(), self._consumer() as consumer:
            begins = consumer.beginning_offsets(list(wanted))
            ends = consumer.end_offsets(list(wanted))
            sought = {place: max(at, begins[place]) for place, at in wanted.items()}
            open_ = {place for place, at in sought.items() if at < ends[place]}
            consumer.assign(open_)
            for place in open_:
                consumer.seek(place, sought[place])
            return self._poll(consumer, open_, ends)

    def _poll(
        self, consumer: Any, places: set[Any], ends: Mapping[Any, int]
    ) -> dict[Place, tuple[int, int]]:
        """Read until each place has given a record, or has nothing but markers up to its end."""
        found: dict[Place, tuple[int, int]] = {}
        deadline = time.monotonic() + FIRST_RECORDS_WITHIN_S
        while places:
            for place, records in consumer.poll(timeout_ms=500).items():
                first = records[0]
                found.setdefault((place.topic, place.partition), (first.offset, first.timestamp))
                places.discard(place)
                consumer.pause(place)
            places -= {each for each in places if consumer.position(each) >= ends[each]}
            if time.monotonic() > deadline:
                cause = f"no record came in {FIRST_RECORDS_WITHIN_S:g} s"
                raise BrokerUnreachableError(self._bootstrap, cause)
        return found

    def retentions_s(self, topics: Iterable[str]) -> dict[str, float | None]:
        """How long each topic keeps a record, None for ever.

        Raises:
            BrokerUnreachableError: the broker does not answer.
        """
        resources = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in sorted(topics)]
        if not resources:
            return {}
        with self._reaching(), self._admin() as admin:
            described = admin.describe_configs(resources, config_filter="all")["topic"]
        kept = {topic: int(each["retention.ms"]["value"]) for topic, each in described.items()}
        return {topic: None if ms < 0 else ms / 1000 for topic, ms in kept.items()}

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except KafkaError as error:
            raise BrokerUnreachableError(self._bootstrap, str(error) or repr(error)) from error

    @contextmanager
    def _admin(self) -> Iterator[Any]:
        admin = KafkaAdminClient(
            bootstrap_servers=self._bootstrap, request_timeout_ms=REQUEST_TIMEOUT_MS
        )
        try:
            yield admin
        finally:
            admin.close()

    @contextmanager
    def _consumer(self) -> Iterator[Any]:
        """A consumer of committed records: only these are landed."""
        consumer = KafkaConsumer(
            bootstrap_servers=self._bootstrap,
            isolation_level="read_committed",
            group_id=None,
            max_partition_fetch_bytes=FETCH_BYTES,
        )
        try:
            yield consumer
        finally:
            consumer.close()

    def _describe(self, topics: list[str]) -> dict[str, Any]:
        """What the broker says of the topics that are there."""
        with self._admin() as admin:
            described = admin.describe_topics(topics)
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
        with self._consumer() as consumer:
            begins: dict[Any, int] = consumer.beginning_offsets(places)
            ends: dict[Any, int] = consumer.end_offsets(places)
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
