"""Fills the topic, once: the records of `millrace.bench.records`, by librdkafka."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, Producer

from millrace.bench.records import event
from millrace.errors import MillraceError
from millrace.landing.broker import Broker
from millrace.settings import Settings
from millrace_producers.client import make_producer

#: librdkafka holds so many records that the broker has not answered.
QUEUED = 200_000
#: Every so many records it is given time to hear answers.
POLL_EVERY = 1_000
ANSWERS_WITHIN_S = 120.0
SAY_EVERY_S = 5.0
FULL_QUEUE_POLL_S = 0.05


@dataclass(frozen=True)
class Filled:
    """A topic that holds the first so many records.

    Attributes:
        ends: partition to the offset that comes next.
        bytes: of all values.
        seconds: how long it took; 0 where they were there already.
    """

    topic: str
    rows: int
    ends: dict[int, int]
    bytes: int
    seconds: float


def fill(settings: Settings, topic: str, rows: int, say: Callable[[str], None]) -> Filled:
    """Have the topic hold exactly the first so many records.

    Raises:
        MillraceError: it holds others, or the broker did not take one.
    """
    ends, seconds = _ends(settings, topic), 0.0
    if not any(ends.values()):
        began = time.monotonic()
        _produce(settings, topic, rows, len(ends), say)
        seconds = time.monotonic() - began
        ends = _ends(settings, topic)
    if sum(ends.values()) != rows:
        cause = f"holds {sum(ends.values()):,} records and not {rows:,}"
        raise MillraceError(f"topic {topic}", cause, "make bench-ingest  # on a new cluster")
    size = sum(len(event(number).value) for number in range(rows))
    return Filled(topic, rows, ends, size, seconds)


def _ends(settings: Settings, topic: str) -> dict[int, int]:
    return dict(Broker(settings.kafka.address).log_states([topic])[topic].ends)


def _produce(
    settings: Settings, topic: str, rows: int, partitions: int, say: Callable[[str], None]
) -> None:
    refused: list[KafkaError] = []
    producer = make_producer(
        settings,
        {
            "queue.buffering.max.messages": QUEUED,
            # A call back for every record would cost more than to make it.
            "delivery.report.only.error": True,
            "on_delivery": lambda error, _: refused.append(error) if error else None,
        },
    )
    said = time.monotonic()
    for number in range(rows):
        each = event(number)
        send(producer, topic, each.value, each.device.encode(), number % partitions)
        if number % POLL_EVERY == 0:
            producer.poll(0)
            if time.monotonic() - said > SAY_EVERY_S:
                said = time.monotonic()
                say(f"produced {number:,} of {rows:,} records")
    waiting = producer.flush(ANSWERS_WITHIN_S)
    require_taken(topic, waiting, refused)


def send(
    producer: Producer, topic: str, value: bytes, key: bytes, partition: int, **more: Any
) -> None:
    """Give a record to the client, which may have to wait for room."""
    while True:
        try:
            producer.produce(topic, value=value, key=key, partition=partition, **more)
        except BufferError:
            producer.poll(FULL_QUEUE_POLL_S)
        else:
            return


def require_taken(topic: str, waiting: int, refused: Iterable[KafkaError]) -> None:
    """See that the broker took every record.

    Raises:
        MillraceError: it did not.
    """
    for error in refused:
        cause = f"the broker refused a record: {error.str()}"
        raise MillraceError(f"topic {topic}", cause, "make logs SERVICE=kafka")
    if waiting:
        cause = f"{waiting:,} records have no answer after {ANSWERS_WITHIN_S:.0f} s"
        raise MillraceError(f"topic {topic}", cause, "make logs SERVICE=kafka")
