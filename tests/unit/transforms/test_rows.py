"""From records to rows: types, audit columns, lines of orders."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from millrace.contracts import Contract, Field
from millrace.processed import ProcessedTable, processed_tables
from spark_jobs.transforms.columns import column_type, table_columns
from spark_jobs.transforms.rows import table_rows, typed_records, with_gone_rows

ROOT = Path(__file__).resolve().parents[3]
AT = datetime(2026, 5, 1, 12, tzinfo=UTC)
PROCESSED_AT = datetime(2026, 5, 2, tzinfo=UTC)
RECORD = "kafka_topic string, kafka_partition int, kafka_offset bigint, kafka_at timestamp"
SCHEMA = f"shelf string, books array<struct<n:int,title:string>>, at timestamp, {RECORD}"
AUDIT = ["source_topic", "source_partition", "source_offset", "source_at", "processed_at"]

SHELVES = Contract(
    dataset="shelves",
    topic="shelves",
    version="1.0.0",
    description="",
    owner="",
    key=("shelf",),
    event_time="at",
    fields=(
        Field("shelf", "string", key=True, required=True),
        Field(
            "books",
            "array",
            items=Field(
                "item", "struct", fields=(Field("n", "int", key=True), Field("title", "string"))
            ),
        ),
        Field("at", "timestamp"),
        Field("weight", "decimal(6,2)"),
    ),
)
SHELF_TABLE, BOOK_TABLE = processed_tables([SHELVES])


def shelves(rows: Any, *values: tuple[Any, ...], tombstone: bool | None = False) -> Any:
    """Typed records of shelves, at ascending offsets."""
    whole = [
        (*value, AT, "shelves", 0, offset, AT, tombstone) for offset, value in enumerate(values)
    ]
    raw = rows(f"{SCHEMA}, is_tombstone boolean", *whole)
    return typed_records(raw, SHELVES, PROCESSED_AT)


def test_a_record_carries_where_it_came_from(rows: Any) -> None:
    record = shelves(rows, ("A", [])).collect()[0]
    assert [record[name] for name in AUDIT[:3]] == ["shelves", 0, 0]
    assert record["source_at"].timestamp() == AT.timestamp()
    assert record["processed_at"].timestamp() == PROCESSED_AT.timestamp()


def test_a_field_that_the_raw_table_has_not_yet_is_null_in_its_type(rows: Any) -> None:
    frame = shelves(rows, ("A", []))
    assert dict(frame.dtypes)["weight"] == "decimal(6,2)"
    assert frame.collect()[0]["weight"] is None


def test_a_tombstone_is_no_state_of_its_entity(rows: Any) -> None:
    assert shelves(rows, ("A", None), tombstone=True).count() == 0
    # Rows landed before the column was there.
    assert shelves(rows, ("A", None), tombstone=None).count() == 1


def test_the_table_of_a_dataset_leaves_its_items_to_theirs(rows: Any) -> None:
    frame = table_rows(shelves(rows, ("A", [(1, "One")])), SHELF_TABLE)
    assert frame.columns == ["shelf", "at", "weight", *AUDIT]


def test_every_item_is_one_row(rows: Any) -> None:
    frame = table_rows(
        shelves(
            rows,
            ("A", [(1, " One "), (2, "Two")]),
            # Nothing on the shelf, and no array at all: no row either way.
            ("B", []),
            ("C", None),
            # The number 1 given twice: the last one counts, or the key would not be one.
            ("D", [(1, "first"), (1, "last"), (2, "other")]),
        ),
        BOOK_TABLE,
    )
    assert frame.columns == ["shelf", "n", "title", "shelve_at", *AUDIT]
    assert {tuple(row)[:3] for row in frame.collect()} == {
        ("A", 1, "One"),
        ("A", 2, "Two"),
        ("D", 1, "last"),
        ("D", 2, "other"),
    }
    assert {row["shelve_at"].timestamp() for row in frame.collect()} == {AT.timestamp()}


def test_items_that_a_newer_record_has_not_are_gone(rows: Any) -> None:
    existing = rows(
        "shelf string, n int",
        # Shrinks to one item.
        ("A", 1),
        ("A", 2),
        # Becomes empty.
        ("B", 1),
        # Is not in the new records at all: stays.
        ("C", 1),
    )
    records = shelves(rows, ("A", [(1, "One"), (3, "Three")]), ("B", []))
    changes = with_gone_rows(table_rows(records, BOOK_TABLE), records, existing, BOOK_TABLE)
    assert {(row["shelf"], row["n"], row["is_gone"]) for row in changes.collect()} == {
        ("A", 1, False),
        ("A", 3, False),
        ("A", 2, True),
        ("B", 1, True),
    }


def test_order_lines_are_keyed_by_order_and_line(tables: dict[str, ProcessedTable]) -> None:
    lines = tables["order_lines"]
    assert lines.key == ("order_id", "line_number")
    assert [name for name, _, _ in table_columns(lines)] == [
        "order_id",
        "line_number",
        "product_id",
        "quantity",
        "unit_price_cents",
        "discount_cents",
        "order_updated_at",
        *AUDIT,
    ]


def test_only_what_grows_with_time_is_partitioned(tables: dict[str, ProcessedTable]) -> None:
    assert {name for name, table in tables.items() if table.by_month} == {"orders", "order_lines"}


def test_dbt_reads_the_tables_that_are_built(contracts: dict[str, Contract]) -> None:
    sources = YAML().load(ROOT / "dbt_project" / "models" / "staging" / "_sources.yml")["sources"]
    read = {
        table["name"]: {column["name"] for column in table["columns"]}
        for source in sources
        if source["name"] == "processed"
        for table in source["tables"]
    }
    built = {
        table.name: {name for name, _, _ in table_columns(table)}
        for table in processed_tables(contracts.values())
    }
    assert read.keys() == built.keys()
    assert not {name: read[name] - built[name] for name in read if read[name] - built[name]}


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (Field("f", "long"), "bigint"),
        (Field("f", "decimal(9,2)"), "decimal(9,2)"),
        (Field("f", "array", items=Field("item", "string")), "array<string>"),
        (Field("f", "struct", fields=(Field("a", "int"), Field("b", "date"))),
         "struct<`a`:int,`b`:date>"),
    ],
)  # fmt: skip
def test_a_field_has_its_spark_type(field: Field, expected: str) -> None:
    assert column_type(field) == expected
