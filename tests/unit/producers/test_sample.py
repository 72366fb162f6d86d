"""The sample data: the same bytes for the same seed, and a shop that holds together."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient

from millrace.contracts import Contract
from millrace.landing.decoder import Decoder
from millrace.landing.reasons import Reason, Rejected
from millrace.landing.schemas import RegisteredSchema
from millrace.landing.validator import compile_contract
from millrace_producers.encoding import Record, make_encoder
from millrace_producers.sample.bad import BadRecord, applicable, encode_bad
from millrace_producers.sample.calendar import END, START, WEEKS
from millrace_producers.sample.files import (
    DATASETS,
    Sizes,
    generate_records,
    read_manifest,
    read_sample,
    write_sample,
)
from millrace_producers.sample.publish import make_outgoing

SMALL = Sizes(customers=60, products=20, locations=5, orders=300)
Records = dict[str, list[Record]]


@pytest.fixture(scope="module")
def records() -> Records:
    """The sample of the demo."""
    return generate_records(Sizes())


def states(records: list[Record], key: str) -> dict[str, list[Record]]:
    found = defaultdict(list)
    for record in records:
        found[record[key]].append(record)
    return found


def test_the_same_seed_gives_the_same_bytes(contracts: dict[str, Contract], tmp_path: Path) -> None:
    write_sample(SMALL, contracts, tmp_path / "one")
    write_sample(SMALL, contracts, tmp_path / "two")
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert len(files) == 2 * len(DATASETS) + 1
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_every_process_gives_the_same_data() -> None:
    """One that iterates a set does not: a locale of Faker did, and its cities came out shuffled."""
    program = (
        "from hashlib import sha256;"
        "from millrace_producers.sample.files import Sizes, generate_records;"
        "records = generate_records(Sizes(customers=60, products=20, locations=20, orders=50));"
        "print(sha256(repr(records).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(digests) == 1


def test_another_seed_gives_other_data() -> None:
    other = generate_records(Sizes(**{**SMALL.__dict__, "seed": 43}))
    assert other["orders"] != generate_records(SMALL)["orders"]


def test_more_orders_leave_the_other_datasets_as_they_are() -> None:
    more = generate_records(Sizes(**{**SMALL.__dict__, "orders": 400}))
    fewer = generate_records(SMALL)
    assert all(more[name] == fewer[name] for name in ("customers", "products", "locations"))


def test_the_numbers_of_entities_are_those_asked_for(records: Records) -> None:
    keys = {dataset: f"{dataset[:-1]}_id" for dataset in DATASETS}
    assert {name: len(states(records[name], key)) for name, key in keys.items()} == {
        "customers": 1_000,
        "products": 200,
        "locations": 50,
        "orders": 10_000,
    }


def test_records_are_in_event_order_and_each_state_is_later_than_the_one_before(
    records: Records,
) -> None:
    for dataset in DATASETS:
        times = [record["updated_at"] for record in records[dataset]]
        assert times == sorted(times)
        assert times[-1] < END
        for history in states(records[dataset], f"{dataset[:-1]}_id").values():
            assert all(a["updated_at"] < b["updated_at"] for a, b in pairwise(history))


def test_every_reference_leads_to_something_that_existed_at_the_time(records: Records) -> None:
    customers = states(records["customers"], "customer_id")
    products = states(records["products"], "product_id")
    locations = states(records["locations"], "location_id")
    for order in records["orders"]:
        placed_at = order["placed_at"]
        assert customers[order["customer_id"]][0]["created_at"] <= placed_at
        assert locations[order["location_id"]][0]["updated_at"] <= placed_at
        for line in order["lines"]:
            product = [
                state for state in products[line["product_id"]] if state["updated_at"] <= placed_at
            ][-1]
            assert product["is_active"]
            assert product["price_cents"] == line["unit_price_cents"]


def test_a_total_is_the_sum_of_one_to_five_lines(records: Records) -> None:
    sizes = Counter(len(order["lines"]) for order in records["orders"])
    assert sorted(sizes) == [1, 2, 3, 4, 5]
    for order in records["orders"]:
        lines = order["lines"]
        assert order["total_cents"] == sum(
            line["quantity"] * line["unit_price_cents"] - line["discount_cents"] for line in lines
        )
        assert [line["line_number"] for line in lines] == list(range(1, len(lines) + 1))
        assert len({line["product_id"] for line in lines}) == len(lines)


def test_orders_follow_the_rhythm_of_the_week_and_the_day(records: Records) -> None:
    placed = [order["placed_at"] for order in records["orders"] if order["status"] == "placed"]
    assert min(placed) >= START
    assert max(placed) < START + timedelta(weeks=WEEKS)
    weekdays = Counter(at.weekday() for at in placed)
    assert [day for day, _ in weekdays.most_common(2)] == [5, 4]  # Saturday, Friday
    assert weekdays[5] > 1.5 * weekdays[1]
    hours = Counter(at.hour for at in placed)
    assert hours[19] > 5 * hours[3]


def test_few_customers_buy_most_and_the_best_customer_not_everything(records: Records) -> None:
    placed = [order for order in records["orders"] if order["status"] == "placed"]
    bought = [number for _, number in Counter(o["customer_id"] for o in placed).most_common()]
    assert 0.5 < sum(bought[:200]) / len(placed) < 0.8
    assert bought[0] < len(placed) / 20


def test_prices_change_and_customers_and_orders_come_along(records: Records) -> None:
    products = states(records["products"], "product_id").values()
    repriced = [h for h in products if len({state["price_cents"] for state in h}) > 1]
    assert len(repriced) > len(products) / 2
    assert any(not history[-1]["is_active"] for history in products)
    customers = states(records["customers"], "customer_id").values()
    assert sum(len(history) > 1 for history in customers) > len(customers) / 4
    last = Counter(h[-1]["status"] for h in states(records["orders"], "order_id").values())
    assert set(last) == {"placed", "paid", "shipped", "delivered", "cancelled", "returned"}
    assert last["delivered"] > sum(last.values()) * 0.8


def test_good_records_pass_the_landing_and_bad_ones_fall_into_their_class(
    contracts: dict[str, Contract], registry: SchemaRegistryClient, tmp_path: Path
) -> None:
    class Schemas:
        """What landing asks the registry."""

        def by_id(self, schema_id: int, subject: str) -> RegisteredSchema | None:
            for contract in contracts.values():
                latest = registry.get_latest_version(contract.subject)
                if latest.schema_id == schema_id:
                    return RegisteredSchema(
                        json.loads(latest.schema.schema_str), frozenset({contract.subject})
                    )
            return None

    manifest = write_sample(SMALL, contracts, tmp_path)
    for dataset in DATASETS:
        contract = contracts[dataset]
        encode = make_encoder(contract, registry)
        decoder, judge = Decoder(contract, Schemas()), compile_contract(contract)
        good, bad = 0, Counter[str]()
        for record in read_sample(tmp_path, contract):
            sent = make_outgoing(contract, encode, record)
            if isinstance(record, BadRecord):
                with pytest.raises(Rejected) as rejected:
                    judge(decoder.decode(sent.value).record)
                assert rejected.value.reason is record.reason
                bad[record.reason] += 1
            else:
                judge(decoder.decode(sent.value).record)
                good += 1
        assert manifest["datasets"][dataset]["records"] == good
        assert manifest["datasets"][dataset]["bad"] == bad
        assert {"not_framed", "unknown_schema", "undecodable", "bad_format"} <= set(bad)
    assert read_manifest(tmp_path) == manifest
    assert "not_allowed" in manifest["datasets"]["orders"]["bad"]
    assert "out_of_range" in manifest["datasets"]["orders"]["bad"]


def test_no_bad_records_are_planted_where_none_are_wanted(
    contracts: dict[str, Contract], tmp_path: Path
) -> None:
    none = write_sample(Sizes(**{**SMALL.__dict__, "bad": 0.0}), contracts, tmp_path)
    assert all(numbers["bad"] == {} for numbers in none["datasets"].values())


def test_the_share_of_bad_records_is_the_one_asked_for(
    contracts: dict[str, Contract], tmp_path: Path
) -> None:
    some = write_sample(Sizes(**{**SMALL.__dict__, "bad": 0.05}), contracts, tmp_path)
    numbers = some["datasets"]["orders"]
    assert sum(numbers["bad"].values()) == round(numbers["records"] * 0.05)


def test_json_datasets_can_have_bad_records_that_avro_can_not(visits: Contract) -> None:
    record = {
        "visit_id": "1",
        "day": "2026-05-04",
        "visited_at": "2026-05-04T10:00:00Z",
        "visitor": "ada",
        "device": {"kind": "desk"},
    }
    classes = set(applicable(visits, record))
    assert {Reason.MISSING_FIELD, Reason.WRONG_TYPE, Reason.UNDECODABLE} <= classes
    assert Reason.NOT_FRAMED not in classes
    cut = encode_bad(visits, lambda _: b'{"a":"bcdefgh"}', BadRecord(0, Reason.UNDECODABLE, record))
    with pytest.raises(ValueError, match="Unterminated"):
        json.loads(cut)
