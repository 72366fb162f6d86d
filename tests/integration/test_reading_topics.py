"""The verifier's view of a topic: what counts, what was aborted, and what is nobody's record."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from millrace.settings import Settings
from millrace.verify.errors import VerifyError
from millrace.verify.topic import KafkaLog

TOPIC = "verify-transactions"


@pytest.fixture(scope="module")
def log(cluster: Settings) -> KafkaLog:
    """A topic of one partition: 0-2 committed, 3 their mark, 4-5 aborted, 6 theirs, 7 committed,
    8 its mark.
    """
    address = {"bootstrap.servers": cluster.kafka.address}
    admin = AdminClient(address)
    admin.create_topics([NewTopic(TOPIC, 1, 1)])[TOPIC].result()
    producer = Producer({**address, "transactional.id": "verify", "linger.ms": 0})
    producer.init_transactions()
    for values, is_kept in (((b"a", b"b", None), True), ((b"x", b"y"), False), ((b"c",), True)):
        producer.begin_transaction()
        for value in values:
            producer.produce(
                TOPIC, key=b"k", value=value, headers=[("one", b"1")], timestamp=1_000_000
            )
        producer.flush()
        producer.commit_transaction() if is_kept else producer.abort_transaction()
    return KafkaLog(cluster.kafka.address)


def offsets(log: KafkaLog, low: int, high: int, **how: Any) -> list[int]:
    return [
        at
        for batch in log.records(TOPIC, {0: (low, high)}, **how)
        for at in batch["kafka_offset"].to_pylist()
    ]


def test_a_topic_ends_after_its_last_control_record(log: KafkaLog) -> None:
    state = log.state(TOPIC)
    assert (state.begins, state.ends, state.high) == ({0: 0}, {0: 9}, {0: 9})
    assert state.topic_id is not None
    assert len(state.topic_id) == len("16c2df19-34e5-49fd-af42-5ecaaf0dfdab")


def test_committed_records_are_given_whole(log: KafkaLog) -> None:
    assert offsets(log, 0, 9) == [0, 1, 2, 7]
    (batch,) = log.records(TOPIC, {0: (0, 3)})
    assert batch["value"].to_pylist() == [b"a", b"b", None]
    assert batch["kafka_headers"].to_pylist()[0] == [{"key": "one", "value": b"1"}]
    assert batch["kafka_at"].to_pylist()[0] == datetime(1970, 1, 1, 0, 16, 40, tzinfo=UTC)


def test_a_reader_of_everything_is_given_aborted_records_and_no_control_records(
    log: KafkaLog,
) -> None:
    assert offsets(log, 0, 9, committed=False) == [0, 1, 2, 4, 5, 7]


def test_a_range_that_ends_in_control_records_ends(log: KafkaLog) -> None:
    assert offsets(log, 3, 7) == []
    assert offsets(log, 8, 9) == []
    assert offsets(log, 5, 5) == []


def test_a_topic_is_read_from_the_first_record_that_is_not_older(log: KafkaLog) -> None:
    assert log.since(TOPIC, datetime(1970, 1, 1, tzinfo=UTC)) == {0: 0}
    # The broker stamps a control record with its own clock.
    assert log.since(TOPIC, datetime(2026, 1, 1, tzinfo=UTC)) == {0: 3}
    assert log.since(TOPIC, datetime(2100, 1, 1, tzinfo=UTC)) == {0: 9}


def test_a_topic_that_is_not_there_is_named(log: KafkaLog) -> None:
    with pytest.raises(VerifyError, match="no-such-topic"):
        log.state("no-such-topic")
