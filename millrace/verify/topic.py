"""The topic as the broker has it, read with librdkafka.

A consumer that reads only what is committed is given every record that counts; one that reads
everything is also given the records of aborted transactions. What neither is given, below the end
of the log, are the control records of transactions.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import pyarrow as pa
from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from millrace.verify.errors import SourceAwayError, VerifyError
from millrace.verify.keys import Ranges

TIMEOUT_S = 15.0
#: A broker that sends nothing for so long while records are due is away.
PATIENCE_S = 60.0
BATCH_RECORDS = 8192
#: `consume` waits so long for a full batch, also at the end of a partition.
POLL_S = 0.1

RECORDS = pa.schema(
    {
        "kafka_partition": pa.int32(),
        "kafka_offset": pa.int64(),
        "kafka_at": pa.timestamp("us", "UTC"),
        "kafka_key": pa.binary(),
        "kafka_headers": pa.list_(pa.struct({"key": pa.string(), "value": pa.binary()})),
        "value": pa.binary(),
    }
)


@dataclass(frozen=True)
class TopicState:
    """What the broker has of one topic.

    Attributes:
        begins: partition to the first offset that is kept.
        ends: partition to the offset after the last that is committed.
        high: partition to the offset after the last of all.
        topic_id: a UUID, which a topic that was created again does not share.
    """

    begins: Mapping[int, int] = field(default_factory=dict)
    ends: Mapping[int, int] = field(default_factory=dict)
    high: Mapping[int, int] = field(default_factory=dict)
    topic_id: str | None = None


class Log(Protocol):
    """Where topics are read."""

    def state(self, topic: str) -> TopicState:
        """What there is of a topic now."""

    def since(self, topic: str, when: datetime) -> dict[int, int]:
        """Partition to the first kept offset whose time is not before; its end where none is."""

    def records(
        self, topic: str, ranges: Ranges, *, committed: bool = True
    ) -> Iterator[pa.RecordBatch]:
        """The records of the ranges (`RECORDS`); also aborted ones where not only committed."""


class KafkaLog:
    """Topics of a Kafka cluster, by two consumers that live as long as it. Used by one thread."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._committed = Consumer(_settings(bootstrap, "read_committed"))
        self._all = Consumer(_settings(bootstrap, "read_uncommitted"))
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})

    def state(self, topic: str) -> TopicState:
        """What there is of a topic now.

        Raises:
            VerifyError: there is no such topic.
            SourceAwayError: the broker does not answer.
        """
        with _Asking(self._bootstrap):
            found = self._committed.list_topics(topic, timeout=TIMEOUT_S).topics[topic]
            if found.error is not None:
                raise VerifyError(f"topic {topic}", f"{found.error.str()}", "bin/millrace apply")
            marks = _marks(self._committed, topic, sorted(found.partitions))
            highs = _marks(self._all, topic, list(marks))
        return TopicState(
            {partition: low for partition, (low, _) in marks.items()},
            {partition: end for partition, (_, end) in marks.items()},
            {partition: high for partition, (_, high) in highs.items()},
            self._topic_id(topic),
        )

    def _topic_id(self, topic: str) -> str | None:
        with _Asking(self._bootstrap):
            asked = self._admin.describe_topics(TopicCollection([topic]), request_timeout=TIMEOUT_S)
            found = asked[topic].result().topic_id
        if found is None:
            return None
        high, low = found.get_most_significant_bits(), found.get_least_significant_bits()
        return str(UUID(bytes=struct.pack(">qq", high, low)))

    def since(self, topic: str, when: datetime) -> dict[int, int]:
        """Partition to the first kept offset whose time is not before; its end where none is."""
        state = self.state(topic)
        moment = int(when.timestamp() * 1000)
        with _Asking(self._bootstrap):
            asked = [TopicPartition(topic, partition, moment) for partition in state.ends]
            found = self._committed.offsets_for_times(asked, timeout=TIMEOUT_S)
        return {
            each.partition: each.offset if each.offset >= 0 else state.ends[each.partition]
            for each in found
        }

    def records(
        self, topic: str, ranges: Ranges, *, committed: bool = True
    ) -> Iterator[pa.RecordBatch]:
        """The records of the ranges, each partition's in order; partitions may be mixed.

        Raises:
            SourceAwayError: the broker sends nothing any more.
        """
        ends = {part: high for part, (low, high) in ranges.items() if low < high}
        consumer = self._committed if committed else self._all
        with _Asking(self._bootstrap):
            consumer.assign([TopicPartition(topic, part, ranges[part][0]) for part in ends])
            try:
                yield from _read(consumer, ends, self._bootstrap)
            finally:
                consumer.unassign()


def _marks(consumer: Consumer, topic: str, partitions: list[int]) -> dict[int, tuple[int, int]]:
    """First and next offset of each partition; the next committed one where only that is read."""
    return {
        partition: consumer.get_watermark_offsets(
            TopicPartition(topic, partition), timeout=TIMEOUT_S
        )
        for partition in partitions
    }


def _read(consumer: Consumer, ends: Mapping[int, int], bootstrap: str) -> Iterator[pa.RecordBatch]:
    """The assigned partitions' records, each below its offset."""
    heard, left = time.monotonic(), set(ends)
    while left:
        kept: list[Any] = []
        for message in consumer.consume(BATCH_RECORDS, POLL_S):
            heard = time.monotonic()
            error, part, offset = message.error(), message.partition(), message.offset()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)
            assert part is not None
            assert offset is not None
            # The end of a partition is said with the offset that comes next.
            if error is not None or offset >= ends[part] - 1:
                left.discard(part)
            if error is None and offset < ends[part]:
                kept.append(message)
        if kept:
            yield _batch(kept)
        if time.monotonic() - heard > PATIENCE_S:
            raise SourceAwayError(f"Kafka at {bootstrap}", f"silent for {PATIENCE_S:.0f} s")


def _batch(messages: list[Any]) -> pa.RecordBatch:
    headers = [
        [{"key": key, "value": value} for key, value in each.headers() or ()] for each in messages
    ]
    return pa.RecordBatch.from_pydict(
        {
            "kafka_partition": [each.partition() for each in messages],
            "kafka_offset": [each.offset() for each in messages],
            "kafka_at": [each.timestamp()[1] * 1000 for each in messages],
            "kafka_key": [each.key() for each in messages],
            "kafka_headers": headers,
            "value": [each.value() for each in messages],
        },
        schema=RECORDS,
    )


def _settings(bootstrap: str, isolation: str) -> dict[str, Any]:
    """Of a consumer that belongs to no group and commits nothing."""
    return {
        "bootstrap.servers": bootstrap,
        "group.id": "millrace-verify",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "error",
        "isolation.level": isolation,
        # A cluster that is being restarted is no reason for lines on standard error.
        "log_level": 0,
    }


class _Asking:
    """Names the broker in what librdkafka raises."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, KafkaException):
            raise SourceAwayError(f"Kafka at {self._bootstrap}", str(error)) from error
