"""Records that are not what a stream hopes for: landing judges each as the fault expects it."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

from millrace.chaos.faults import odd_records
from millrace.chaos.faults.records import SEEN, TIMES
from millrace.contracts import Contract, load_contracts
from millrace.landing.schemas import RegisteredSchema
from millrace.landing.sift import Sifter, compile_sifter
from millrace_producers.encoding import Encoder, make_encoder

ROOT = Path(__file__).resolve().parents[3]
CONTRACT = load_contracts(ROOT / "contracts")["customers"]
START = datetime(2026, 5, 1, tzinfo=UTC)


def seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - made again from its seed


@pytest.fixture(scope="module")
def encode() -> Encoder:
    registry = SchemaRegistryClient.new_client({"url": "mock://odd-records"})
    definition = json.dumps(CONTRACT.avro_schema())
    registry.register_schema(CONTRACT.subject, Schema(definition, "AVRO"))
    return make_encoder(CONTRACT, registry)


class Registered:
    """The one schema of the contract."""

    def by_id(self, schema_id: int, subject: str) -> RegisteredSchema | None:
        known = RegisteredSchema(CONTRACT.avro_schema(), frozenset({CONTRACT.subject}))
        return known if schema_id == 1 else None


@pytest.fixture(scope="module")
def sift() -> Sifter:
    return compile_sifter(CONTRACT, Registered())


def good(number: int) -> list[dict[str, Any]]:
    return [
        {
            "customer_id": f"C{n:06d}",
            "name": "Somebody",
            "email": f"c{n}@example.com",
            "phone": None,
            "country": "DE",
            "city": "Kiel",
            "segment": "consumer",
            "created_at": START,
            "updated_at": START.replace(minute=n),
        }
        for n in range(number)
    ]


def test_every_poison_record_is_quarantined_by_the_class_it_was_made_for(
    encode: Encoder, sift: Sifter
) -> None:
    made = odd_records.poison(CONTRACT, encode, good(5), of_each=3, rng=seeded(1))
    sifted = sift([each.outgoing.value for each in made])
    assert [verdict.reason for _, verdict in sifted.bad] == [each.reason for each in made]
    assert len({each.reason for each in made}) > 3


def test_the_same_seed_makes_the_same_poison(encode: Encoder) -> None:
    first, second = (
        odd_records.poison(CONTRACT, encode, good(5), of_each=2, rng=seeded(7)) for _ in range(2)
    )
    assert first == second


def test_late_doubled_and_unordered_records_are_all_good(encode: Encoder, sift: Sifter) -> None:
    now = datetime(2026, 11, 1, tzinfo=UTC)
    records = odd_records.late(good(3), now)
    assert all((now - each["updated_at"]).days == 40 for each in records)
    shuffled = odd_records.out_of_order(good(20), seeded(1))
    assert any(a["updated_at"] > b["updated_at"] for a, b in pairwise(shuffled))
    sent = [odd_records.outgoing(CONTRACT, encode, each).value for each in (*records, *shuffled)]
    twice = list(odd_records.doubled([odd_records.outgoing(CONTRACT, encode, good(1)[0])], 2))
    assert twice[0] == twice[1]
    assert not sift([*sent, *(each.value for each in twice)]).bad


def test_a_record_beyond_the_limit_of_landing_is_too_large(sift: Sifter) -> None:
    record = odd_records.oversize(CONTRACT, b"k")
    ((_, verdict),) = sift([record.value]).bad
    assert verdict.reason == "too_large"


def test_noise_on_a_json_topic_is_undecodable(encode: Encoder) -> None:
    contract = Contract("things", "things", "1", "", "", CONTRACT.fields, format="json")
    made = odd_records.poison(contract, lambda _: b'{"a":"bcdefgh"}', good(1), 1, seeded(1))
    noise = {each.reason for each in made if each.outgoing.key == b"noise"}
    assert noise == {"undecodable"}


def test_what_shows_an_odd_record_does_not_show_a_plain_one() -> None:
    at = datetime(2026, 11, 1, tzinfo=UTC)
    plain = [
        {
            "event_id": f"made-{number:05d}",
            "happened_at": at,
            "kafka_at": at,
            "kafka_partition": number % 2,
            "kafka_offset": number // 2,
        }
        for number in range(6)
    ]
    assert [shows(plain) for shows in SEEN.values()] == [None, None, None]
    assert SEEN["doubled"](plain * TIMES) == f"18 rows, {TIMES} of each record"
    assert SEEN["doubled"](plain * TIMES + plain[:1]) is None
    swapped = [{**plain[0], "kafka_offset": 1}, {**plain[2], "kafka_offset": 0}, *plain[3:]]
    assert SEEN["unordered"](swapped) == "5 rows, 1 of them after a later one"
    late = [{**row, "happened_at": at - odd_records.LATE_BY} for row in plain]
    assert SEEN["late"](late) == "6 rows, at least 40 days late"
    assert SEEN["late"]([*late, plain[0]]) is None
