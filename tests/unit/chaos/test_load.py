"""The load keeps a ledger, knows its bad records, and rests when it is told to."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from itertools import islice
from pathlib import Path

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

from millrace.chaos.evidence import Mark
from millrace.chaos.load import Load
from millrace.chaos.triggers import until
from millrace.chaos.world import CONTRACTS
from millrace.contracts import Contract, load_contract
from millrace.landing.reasons import Reason
from millrace.landing.schemas import RegisteredSchema
from millrace.landing.sift import compile_sifter
from millrace.settings import Settings
from millrace_producers import client
from millrace_producers.ledger import Intent, Ledger, read_ledger
from millrace_producers.publisher import Outgoing

WAIT_S = 20.0
RATE = 500.0


@pytest.fixture
def contract() -> Contract:
    return load_contract(CONTRACTS / "chaos_events.yaml")


@pytest.fixture
def load(tmp_path: Path, contract: Contract, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """A load onto the brokers that librdkafka brings for tests, and the library's own registry."""
    registry = SchemaRegistryClient.new_client({"url": f"mock://{uuid.uuid4()}"})
    registry.register_schema(contract.subject, Schema(json.dumps(contract.avro_schema()), "AVRO"))
    monkeypatch.setattr(client, "make_registry", lambda settings: registry)
    brokers = {"test.mock.num.brokers": 1, "test.mock.broker.rtt": 20}
    monkeypatch.setattr(client, "make_producer", partial(client.make_producer, overrides=brokers))
    with Load(Settings(home=tmp_path), [contract], seed=7, rate=RATE) as running:
        yield running


def acknowledged(load: Load) -> list[str | None]:
    """Digests of what the broker has."""
    return [each.sha256 for each in read_ledger(load.ledger) if each.state == "acknowledged"]


def test_a_record_sent_after_a_mark_is_found_where_the_broker_has_it(load: Load) -> None:
    until("some records", lambda: len(acknowledged(load)) > 50, WAIT_S)
    mark, before = load.mark(), {(each.partition, each.offset) for each in read_ledger(load.ledger)}
    found = until("a later record", lambda: load.first_acknowledged_since(mark), WAIT_S)
    assert found.dataset == "chaos_events"
    assert (found.partition, found.offset) not in before


def test_a_pause_leaves_nothing_without_an_answer(load: Load) -> None:
    until("some records", lambda: acknowledged(load), WAIT_S)
    load.pause()
    entries = list(read_ledger(load.ledger))
    assert {entry.state for entry in entries} == {"acknowledged"}
    assert load.waiting == 0
    load.resume()
    until("more records", lambda: len(acknowledged(load)) > len(entries), WAIT_S)


def test_a_record_of_ones_own_is_under_the_same_ledger(load: Load) -> None:
    load.send([Outgoing("chaos_events", "chaos.events", b"own", b"of my own")])
    digest = sha256(b"of my own").hexdigest()
    until("the own record", lambda: digest in acknowledged(load), WAIT_S)
    assert len(list(load.ledger.glob("*.jsonl"))) == 1


def test_bad_records_of_every_class_are_among_the_good_ones(load: Load, contract: Contract) -> None:
    """Landing's own judge says which they are."""

    class Known:
        def by_id(self, schema_id: int, subject: str) -> RegisteredSchema | None:
            schema = RegisteredSchema(contract.avro_schema(), frozenset({contract.subject}))
            return schema if schema_id == 1 else None

    load.pause()
    values = [each.value for each in islice(load._records(), 500)]
    sifted = compile_sifter(contract, Known())(values)
    assert len(sifted.good) > 450
    assert {verdict.reason for _, verdict in sifted.bad} >= {
        Reason.NOT_FRAMED,
        Reason.UNKNOWN_SCHEMA,
        Reason.OUT_OF_RANGE,
        Reason.NOT_ALLOWED,
    }


def test_what_was_sent_at_a_mark_and_answered_after_another_is_counted(
    tmp_path: Path, contract: Contract
) -> None:
    load = Load(Settings(home=tmp_path), [contract], seed=7)  # sends nothing: it is not entered
    assert load.unanswered(load.mark(), load.mark()) == 0
    ledger = Ledger(load.ledger)
    load._ledgers.append(ledger)
    ledger.intend([Intent("chaos_events", "chaos.events", "")] * 5)
    ledger.acknowledge(0, 0, 0)
    ledger.flush()
    sent = load.mark()
    ledger.acknowledge(1, 0, 1)
    ledger.intend([Intent("chaos_events", "chaos.events", "")])
    ledger.flush()
    ended = load.mark()
    ledger.acknowledge(2, 0, 2)
    ledger.fail(3, "unknown", "the answer was lost")
    ledger.close()
    assert load.unanswered(sent, sent) == 4
    assert load.unanswered(sent, ended) == 3
    assert load.unanswered(sent, load.mark()) == 1
    assert load.unanswered(sent, Mark(2, 0)) == 1
