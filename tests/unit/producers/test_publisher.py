"""The publisher against a broker inside the client library: outcomes and their states."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from kafka.partitioner.default import murmur2

from millrace.errors import MillraceError
from millrace.settings import Settings
from millrace_producers.client import make_producer
from millrace_producers.ledger import Counts, Ledger, read_ledger
from millrace_producers.publisher import Outgoing, Pace, Publisher


def producer(**overrides: Any) -> Producer:
    return make_producer(Settings(), {"test.mock.num.brokers": 1, **overrides})


def outgoing(*values: bytes, topic: str = "orders") -> list[Outgoing]:
    return [Outgoing("orders", topic, b"key", value) for value in values]


def test_every_acknowledged_record_has_its_place_and_digest(tmp_path: Path) -> None:
    values = [f"value {number}".encode() for number in range(1_000)]
    with Publisher(producer(), Ledger(tmp_path)) as publisher:
        publisher.send(outgoing(*values[:600]))
        publisher.send(outgoing(*values[600:]))
        publisher.finish()
        assert publisher.total == Counts(acknowledged=1_000)
    entries = list(read_ledger(tmp_path))
    assert {entry.sha256 for entry in entries} == {
        hashlib.sha256(value).hexdigest() for value in values
    }
    assert len({(entry.partition, entry.offset) for entry in entries}) == 1_000


def test_a_record_that_is_too_large_is_refused_and_the_others_arrive(tmp_path: Path) -> None:
    with Publisher(producer(), Ledger(tmp_path)) as publisher:
        publisher.send(outgoing(b"small", b"x" * 2_000_000, b"small too"))
        with pytest.raises(MillraceError, match=r"1 of 3 records: 1 were refused") as failed:
            publisher.finish()
    assert "MSG_SIZE_TOO_LARGE" in failed.value.cause
    assert publisher.total == Counts(acknowledged=2, refused=1)
    assert [entry.state for entry in read_ledger(tmp_path)].count("refused") == 1


def test_a_record_whose_answer_is_lost_is_unknown_not_refused(tmp_path: Path) -> None:
    # The answer takes longer than the client waits.
    slow = producer(**{"test.mock.broker.rtt": 5_000, "delivery.timeout.ms": 300, "linger.ms": 1})
    with Publisher(slow, Ledger(tmp_path)) as publisher:
        publisher.send(outgoing(b"lost"))
        with pytest.raises(MillraceError, match="the fate of 1 is unknown"):
            publisher.finish()
    assert [entry.state for entry in read_ledger(tmp_path)] == ["unknown"]


def test_a_full_queue_of_the_client_loses_nothing(tmp_path: Path) -> None:
    small = producer(**{"queue.buffering.max.messages": 10})
    with Publisher(small, Ledger(tmp_path)) as publisher:
        publisher.send(outgoing(*(str(number).encode() for number in range(200))))
        publisher.finish()
        assert publisher.total == Counts(acknowledged=200)


def test_a_key_goes_to_the_partition_that_other_clients_choose(tmp_path: Path) -> None:
    with Publisher(producer(), Ledger(tmp_path)) as publisher:
        publisher.send([Outgoing("orders", "orders", b"O0000007", b"value")])
        publisher.finish()
    # What Java's client and kafka-python do; the mock's topics have four partitions.
    chosen = (murmur2(b"O0000007") & 0x7FFF_FFFF) % 4
    assert [entry.partition for entry in read_ledger(tmp_path)] == [chosen]


def test_the_pace_is_counted_from_the_beginning() -> None:
    pace = Pace(10)
    assert pace.seconds_until(0) == 0
    assert 0.9 < pace.seconds_until(10) <= 1
    assert Pace(None).seconds_until(1_000_000) == 0
