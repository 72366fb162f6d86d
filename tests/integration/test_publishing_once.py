"""What is published under a name is there once, whoever tries and however often."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from millrace.settings import Settings
from millrace_producers import client
from millrace_producers.ledger import Ledger, read_run
from millrace_producers.once import FencedError, OncePublisher, Transaction
from millrace_producers.publisher import Outgoing

Try = Callable[[], OncePublisher | None]


@pytest.fixture
def topic(cluster: Settings, request: pytest.FixtureRequest) -> Iterator[str]:
    """A topic without a contract, which the lake does not see."""
    admin = KafkaAdminClient(bootstrap_servers=cluster.kafka.address)
    name = f"once-{os.getpid()}-{abs(hash(request.node.name))}"
    admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])
    yield name
    admin.delete_topics([name])
    admin.close()


@pytest.fixture
def attempt(cluster: Settings, topic: str, tmp_path: Path) -> Try:
    """Begin a try under the topic's name; None where there is nothing left to publish."""

    def begin() -> OncePublisher | None:
        transaction = Transaction(cluster, topic, topic)
        producer = client.make_producer(cluster, transaction.overrides)
        if not transaction.begin(producer):
            return None
        return OncePublisher(producer, Ledger(tmp_path), transaction)

    return begin


def records(topic: str, number: int) -> list[Outgoing]:
    return [Outgoing("scratch", topic, None, f"record {each}".encode()) for each in range(number)]


def committed(cluster: Settings, topic: str) -> int:
    """How many records a reader of committed ones sees."""
    consumer = KafkaConsumer(
        bootstrap_servers=cluster.kafka.address,
        isolation_level="read_committed",
        consumer_timeout_ms=2_000,
    )
    place = TopicPartition(topic, 0)
    consumer.assign([place])
    consumer.seek_to_beginning(place)
    seen = sum(1 for _ in consumer)
    consumer.close()
    return seen


def states(folder: Path) -> list[list[str]]:
    """The outcomes of each try's records."""
    return [[entry.state for entry in read_run(file)] for file in sorted(folder.glob("*.jsonl"))]


def test_a_try_after_a_success_sends_nothing(
    cluster: Settings, topic: str, attempt: Try, tmp_path: Path
) -> None:
    first = attempt()
    assert first
    with first:
        first.send(records(topic, 5))
        first.finish()
    assert attempt() is None
    assert committed(cluster, topic) == 5
    assert states(tmp_path) == [["acknowledged"] * 5]


def test_a_try_that_only_seemed_dead_is_shut_out(
    cluster: Settings, topic: str, attempt: Try, tmp_path: Path
) -> None:
    """It has sent its records, and comes back when a later try has begun: none of them count."""
    first = attempt()
    assert first
    first.send(records(topic, 7))
    while first.waiting:
        first.poll(0.1)
    second = attempt()
    assert second
    with pytest.raises(FencedError), first:
        first.finish()
    with second:
        second.send(records(topic, 3))
        second.finish()
    assert committed(cluster, topic) == 3
    assert states(tmp_path) == [["unknown"] * 7, ["acknowledged"] * 3]


def test_what_fails_on_the_way_was_never_acknowledged(
    cluster: Settings, topic: str, attempt: Try, tmp_path: Path
) -> None:
    first = attempt()
    assert first
    with suppress(RuntimeError), first:
        first.send(records(topic, 4))
        while first.waiting:
            first.poll(0.1)
        raise RuntimeError("the program breaks")
    assert committed(cluster, topic) == 0
    assert states(tmp_path) == [["refused"] * 4]
