"""What may become of a table: evolution that breaks no reader, on a catalog in memory."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC
from pyiceberg.schema import Schema
from pyiceberg.types import (
    DecimalType,
    IntegerType,
    ListType,
    LongType,
    NestedField,
    StringType,
    StructType,
)

from millrace.apply.evolution import compare
from millrace.apply.plan import Action, Step
from millrace.apply.tables import (
    RAW_PROPERTIES,
    plan_namespace,
    plan_table,
    quarantine_table,
    raw_table,
)
from millrace.contracts import Contract, Field


def with_field(contract: Contract, field: Field) -> Contract:
    return dataclasses.replace(contract, fields=(*contract.fields, field))


def test_columns_may_be_added_and_widened_at_every_depth() -> None:
    found = Schema(
        NestedField(1, "id", StringType()),
        NestedField(2, "count", IntegerType()),
        NestedField(3, "price", DecimalType(10, 2)),
        NestedField(4, "box", StructType(NestedField(6, "w", IntegerType()))),
        NestedField(5, "lines", ListType(7, StructType(NestedField(8, "n", IntegerType())))),
    )
    wanted = Schema(
        NestedField(1, "id", StringType(), doc="who"),
        NestedField(2, "count", LongType()),
        NestedField(3, "price", DecimalType(12, 2)),
        NestedField(
            4,
            "box",
            StructType(NestedField(6, "w", LongType()), NestedField(9, "h", IntegerType())),
        ),
        NestedField(
            5,
            "lines",
            ListType(
                7,
                StructType(
                    NestedField(8, "n", IntegerType()),
                    NestedField(10, "at", StructType(NestedField(11, "x", LongType()))),
                ),
            ),
        ),
    )
    difference = compare(found, wanted)
    assert difference.added == ("box.h", "lines.at")
    assert difference.widened == (
        "count: int -> long",
        "price: decimal(10, 2) -> decimal(12, 2)",
        "box.w: int -> long",
    )
    assert difference.described == ("id",)
    assert not difference.broken


@pytest.mark.parametrize(
    ("found", "wanted", "said"),
    [
        (LongType(), IntegerType(), "n: long -> int is no widening"),
        (IntegerType(), StringType(), "n: int -> string is no widening"),
        (DecimalType(9, 2), DecimalType(9, 3), "is no widening"),
        (ListType(2, LongType()), LongType(), "n: array of long -> long is no widening"),
    ],
)
def test_what_would_break_a_reader_is_told(found: Any, wanted: Any, said: str) -> None:
    difference = compare(Schema(NestedField(1, "n", found)), Schema(NestedField(1, "n", wanted)))
    assert said in difference.broken[0]


def test_a_column_that_is_gone_is_told_unless_it_may_be_missing() -> None:
    found, wanted = Schema(NestedField(1, "n", LongType())), Schema()
    assert compare(found, wanted).broken == ("the column n is gone",)
    assert not compare(found, wanted, may_lack=frozenset({"n"})).broken


def local(contract: Contract, tmp_path: Path) -> Any:
    return dataclasses.replace(raw_table(contract), location=f"file://{tmp_path}/raw/visits")


def carry_out(step: Step) -> None:
    assert step.perform is not None, step
    step.perform()


def test_a_table_is_created_and_then_kept(visits: Contract, catalog: Any, tmp_path: Path) -> None:
    wanted = local(visits, tmp_path)
    step = plan_table(catalog, wanted)
    assert (step.action, step.thing) == (Action.CREATE, "table raw.visits")
    carry_out(step)
    table = catalog.load_table("raw.visits")
    assert table.schema().as_struct() == wanted.schema.as_struct()
    assert table.metadata.format_version == 2
    assert RAW_PROPERTIES.items() <= table.properties.items()
    assert plan_table(catalog, wanted) == Step(Action.KEEP, "table raw.visits")
    carry_out(step)  # another apply was faster


def test_new_columns_stand_before_those_of_landing(
    visits: Contract, catalog: Any, tmp_path: Path
) -> None:
    carry_out(plan_table(catalog, local(visits, tmp_path)))
    device = Field("device", "struct", fields=(Field("kind", "string"),))
    wanted = local(with_field(visits, device), tmp_path)
    step = plan_table(catalog, wanted)
    assert (step.action, step.detail) == (Action.ALTER, "+ device")
    carry_out(step)
    names = [field.name for field in catalog.load_table("raw.visits").schema().fields]
    assert names == [field.name for field in wanted.schema.fields]
    assert plan_table(catalog, wanted).action == Action.KEEP


def test_a_change_that_loses_a_race_is_planned_afresh(
    visits: Contract, catalog: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carry_out(plan_table(catalog, local(visits, tmp_path)))
    wanted = local(with_field(visits, Field("device", "string")), tmp_path)
    step = plan_table(catalog, wanted)
    catalog.lose_next_commit()
    carry_out(step)
    assert "device" in catalog.load_table("raw.visits").schema().column_names


def test_a_landing_table_keeps_its_bytes_when_keep_value_is_turned_off(
    visits: Contract, catalog: Any, tmp_path: Path
) -> None:
    carry_out(plan_table(catalog, local(visits, tmp_path)))
    without = local(dataclasses.replace(visits, keep_value=False), tmp_path)
    assert plan_table(catalog, without).action == Action.KEEP


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"key": ("page",)}, "its key is 'visit_id', and the contract says 'page'"),
        ({"fields": (Field("visit_id", "string"),)}, "the column page is gone"),
    ],
)
def test_a_change_that_would_break_readers_is_refused(
    visits: Contract, catalog: Any, tmp_path: Path, *, change: dict[str, Any], said: str
) -> None:
    carry_out(plan_table(catalog, local(visits, tmp_path)))
    step = plan_table(catalog, local(dataclasses.replace(visits, **change), tmp_path))
    assert step.action == Action.REFUSE
    assert said in step.detail
    assert "contracts/visits.yaml" in step.detail


def test_a_table_is_never_moved_or_partitioned_anew(
    visits: Contract, catalog: Any, tmp_path: Path
) -> None:
    wanted = local(visits, tmp_path)
    carry_out(plan_table(catalog, wanted))
    moved = plan_table(catalog, dataclasses.replace(wanted, location="s3://data-lake/raw/visits"))
    assert (moved.action, "it lives at" in moved.detail) == (Action.REFUSE, True)
    other = dataclasses.replace(wanted, partitioning=UNPARTITIONED_PARTITION_SPEC)
    assert "it is partitioned by" in plan_table(catalog, other).detail


def test_a_changed_owner_or_retention_alters_the_table(
    visits: Contract, catalog: Any, tmp_path: Path
) -> None:
    carry_out(plan_table(catalog, local(visits, tmp_path)))
    changed = local(dataclasses.replace(visits, owner="shop", retention_days=5), tmp_path)
    step = plan_table(catalog, changed)
    assert step.detail == "owner=shop, millrace.retention-days=5"
    carry_out(step)
    assert catalog.load_table("raw.visits").properties["owner"] == "shop"


def test_quarantine_is_planned_like_any_table(catalog: Any, tmp_path: Path) -> None:
    wanted = dataclasses.replace(quarantine_table(), location=f"file://{tmp_path}/quarantine")
    carry_out(plan_table(catalog, wanted))
    assert plan_table(catalog, wanted).action == Action.KEEP


def test_a_namespace_is_created_once(catalog: Any, tmp_path: Path) -> None:
    step = plan_namespace(catalog, "processed", f"file://{tmp_path}/processed")
    assert step.action == Action.CREATE
    carry_out(step)
    assert plan_namespace(catalog, "processed", f"file://{tmp_path}/processed").action == "keep"
