"""What may become of a table: evolution that breaks no reader, on a catalog in memory."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC

from millrace.apply.plan import Action, Step
from millrace.apply.tables import (
    RAW_PROPERTIES,
    Wanted,
    plan_namespace,
    plan_table,
    quarantine_table,
    raw_table,
)
from millrace.contracts import Contract, Field

VISIT = Contract(
    "visits", "visits", "1", "", "", (Field("visit_id", "string"), Field("page", "string"))
)


def with_field(contract: Contract, field: Field) -> Contract:
    return dataclasses.replace(contract, fields=(*contract.fields, field))


def test_a_renamed_column_keeps_its_field_id_and_old_files_are_read_under_the_new_name(
    catalog: Any, tmp_path: Path
) -> None:
    """At every depth: a column, a struct, a column of it, a column of an array's items."""

    def flat(contract: Contract) -> Wanted:
        # PyIceberg's own writer has no days; landing's has, and is tested with its tables.
        wanted = local(contract, tmp_path)
        return dataclasses.replace(wanted, partitioning=UNPARTITIONED_PARTITION_SPEC)

    count = Field("count", "int")
    box = Field("box", "struct", fields=(Field("w", "int"),))
    lines = Field("lines", "array", items=Field("item", "struct", fields=(Field("sku", "string"),)))
    old = dataclasses.replace(VISIT, fields=(*VISIT.fields, count, box, lines))
    carry_out(plan_table(catalog, flat(old)))
    table = catalog.load_table("raw.visits")
    ids = {name: table.schema().find_field(name).field_id for name in ("page", "box", "box.w")}
    row = {"page": "/", "count": 7, "box": {"w": 3}, "lines": [{"sku": "s"}]}
    table.append(pa.Table.from_pylist([row], schema=table.schema().as_arrow()))

    sku = Field("article", "string", aliases=("stock", "sku"))
    new = dataclasses.replace(
        VISIT,
        fields=(
            VISIT.fields[0],
            Field("url", "string", aliases=("page",)),
            Field("times", "long", aliases=("count",)),
            Field(
                "parcel",
                "struct",
                aliases=("box",),
                fields=(Field("width", "long", aliases=("w",)),),
            ),
            Field("lines", "array", items=Field("item", "struct", fields=(sku,))),
        ),
    )
    step = plan_table(catalog, flat(new))
    assert (step.action, step.detail) == (
        Action.ALTER,
        "page is renamed to url, count is renamed to times, box is renamed to parcel,"
        " box.w is renamed to parcel.width, lines.sku is renamed to lines.article,"
        " times: int -> long, parcel.width: int -> long",
    )
    carry_out(step)
    table = catalog.load_table("raw.visits")
    found = {
        name: table.schema().find_field(name).field_id for name in ("url", "parcel", "parcel.width")
    }
    assert list(found.values()) == list(ids.values())
    (read,) = table.scan().to_arrow().select(["url", "times", "parcel", "lines"]).to_pylist()
    assert read == {"url": "/", "times": 7, "parcel": {"width": 3}, "lines": [{"article": "s"}]}
    assert plan_table(catalog, flat(new)).action == Action.KEEP


def test_a_key_may_be_renamed_by_its_alias(visits: Contract, catalog: Any, tmp_path: Path) -> None:
    carry_out(plan_table(catalog, local(visits, tmp_path)))
    key = Field("visit", "string", required=True, key=True, aliases=("visit_id",))
    renamed = dataclasses.replace(visits, key=("visit",), fields=(key, *visits.fields[1:]))
    step = plan_table(catalog, local(renamed, tmp_path))
    assert step.detail == "visit_id is renamed to visit, millrace.key=visit"
    carry_out(step)
    assert plan_table(catalog, local(renamed, tmp_path)).action == Action.KEEP


def local(contract: Contract, tmp_path: Path) -> Wanted:
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
