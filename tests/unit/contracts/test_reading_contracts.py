"""What a contract file says, and what goes without saying."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path

import pytest

from millrace.contracts import Contract, Field, UnknownDatasetError, find, load_contracts

ROOT = Path(__file__).resolve().parents[3]
SHOP = load_contracts(ROOT / "contracts")


def test_the_shop_has_its_four_datasets() -> None:
    assert {"customers", "locations", "orders", "products"} <= set(SHOP)


def test_a_short_contract_gets_defaults_for_all_it_does_not_say(folder: Path) -> None:
    visits = load_contracts(folder)["visits"]
    assert dataclasses.replace(visits, fields=()) == Contract(
        dataset="visits",
        topic="visits",
        version="1.0.0",
        description="Visits of pages.",
        owner="web",
        fields=(),
        key=("visit_id",),
        event_time=None,
        tier="hdfs",
        retention_days=90,
        topic_retention_days=7,
        format="avro",
        partitions=3,
        compatibility="BACKWARD",
        keep_value=True,
    )
    assert visits.location == "hdfs://millrace/data/streaming/visits"
    assert visits.subject == "visits-value"


def test_a_short_contract_needs_no_more_than_25_lines(folder: Path) -> None:
    assert len((folder / "visits.yaml").read_text().splitlines()) <= 25


def test_a_key_is_required_without_saying(folder: Path) -> None:
    assert load_contracts(folder)["visits"].field("visit_id").required


def test_an_order_holds_its_lines_as_an_array_of_structs() -> None:
    lines = SHOP["orders"].field("lines")
    assert lines.type == "array"
    assert lines.items is not None
    assert lines.items.type == "struct"
    assert [field.name for field in lines.items.fields][:2] == ["line_number", "product_id"]


def test_every_version_of_an_entity_is_ordered_by_its_update_time() -> None:
    assert {contract.event_time for contract in SHOP.values()} == {"updated_at"}


@pytest.mark.parametrize("dataset", sorted(SHOP))
def test_every_contract_and_field_of_the_shop_is_described_and_owned(dataset: str) -> None:
    contract = SHOP[dataset]
    assert contract.description
    assert contract.owner != "unowned"
    undescribed = [field.name for field in contract.every_field() if not field.description]
    assert set(undescribed) <= {"item"}


def test_checks_name_the_way_to_a_value_and_the_reason_of_a_failure() -> None:
    found = {
        (check.path, check.kind): (check.bound, check.reason, check.field)
        for check in SHOP["orders"].checks()
    }
    quantity = ("lines", "[]", "quantity")
    assert found[quantity, "maximum"] == (1000, "out_of_range", "lines.quantity")
    assert found[quantity, "required"] == (True, "missing_field", "lines.quantity")
    assert found[("status",), "allowed"][1] == "not_allowed"
    assert found[("order_id",), "pattern"][1] == "bad_format"


def test_a_contract_travels_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(SHOP)) == SHOP  # noqa: S301 (our own bytes)


def test_the_topic_of_a_domain_has_a_dot_where_the_dataset_has_an_underscore(
    folder: Path,
) -> None:
    text = (folder / "visits.yaml").read_text().replace(": visits", ": web_visits")
    (folder / "web_visits.yaml").write_text(text)
    assert load_contracts(folder)["web_visits"].topic == "web.visits"


def test_every_setting_of_a_contract_can_be_given(read) -> None:  # type: ignore[no-untyped-def]
    contract = read((Path(__file__).parents[2] / "data" / "contracts" / "visits.yaml").read_text())
    assert (contract.topic, contract.tier) == ("web.visits", "s3")
    assert contract.location == "s3://data-lake/raw/visits"
    assert (contract.format, contract.compatibility) == ("json", "FULL")
    assert (contract.partitions, contract.topic_retention_days) == (6, 2)
    assert (contract.retention_days, contract.keep_value) == (30, False)
    assert contract.key == ("day", "visit_id")
    assert contract.event_time == "visited_at"
    assert contract.field("price") == Field(
        "price", "decimal(12,2)", min=0, max=99.5, description="What it cost."
    )
    visitor = contract.field("visitor")
    assert (visitor.pii, visitor.mask) == (True, "hash")


def test_an_unknown_dataset_names_its_near_matches() -> None:
    with pytest.raises(UnknownDatasetError, match="orders"):
        find("order", SHOP)
