"""L6: a checksum that does not depend on the order, and what is said of an engine that differs."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
from pyiceberg.types import StringType

from millrace.contracts.model import Field
from millrace.verify.checksum import SPARK, TRINO, Asked, Sum, is_comparable
from millrace.verify.engines import compare
from millrace.verify.tables import names_at_snapshot

FIELDS = (
    Field("name", "string"),
    Field("number", "long"),
    Field("is_new", "boolean"),
    Field("day", "date"),
    Field("at", "timestamp"),
    Field("price", "decimal(9,2)"),
    Field("tags", "array", items=Field("item", "string")),
)
ROWS = pa.RecordBatch.from_pylist(
    [
        {
            "name": "é|",
            "number": -5,
            "is_new": True,
            "day": date(2026, 1, 2),
            "at": datetime(2026, 1, 2, 3, 4, 5, 6, UTC),
            "price": Decimal("1.50"),
            "tags": ["a", "b"],
        },
        {"name": "", "tags": []},
    ],
    schema=pa.schema(
        {
            "name": pa.large_string(),
            "number": pa.int64(),
            "is_new": pa.bool_(),
            "day": pa.date32(),
            "at": pa.timestamp("us", "UTC"),
            "price": pa.decimal128(9, 2),
            "tags": pa.large_list(pa.string()),
        }
    ),
)
#: As Trino and Spark write the same rows; the end-to-end test asks them.
TEXTS = [
    "é||-5|true|2026-01-02|2026-01-02 03:04:05.000006|1.50|2",
    "|<null>|<null>|<null>|<null>|<null>|0",
]


def summed(rows: pa.RecordBatch) -> Sum:
    found = Sum(FIELDS)
    found.add(rows)
    return found


def test_rows_become_the_texts_that_other_engines_write() -> None:
    digests = [hashlib.md5(text.encode()).hexdigest() for text in TEXTS]  # noqa: S324
    assert summed(ROWS).total == sum(int(each[:12], 16) for each in digests)


def test_the_order_of_rows_and_of_batches_does_not_matter() -> None:
    turned = Sum(FIELDS)
    turned.add(ROWS.slice(1))
    turned.add(ROWS.slice(0, 1))
    assert (turned.count, turned.total) == (2, summed(ROWS).total)


def test_one_changed_value_changes_the_sum() -> None:
    rows = ROWS.to_pylist()
    rows[1]["number"] = 0
    assert summed(pa.RecordBatch.from_pylist(rows, ROWS.schema)).total != summed(ROWS).total


def test_what_engines_write_differently_is_left_out() -> None:
    kinds = ("double", "float", "struct", "decimal(20,7)")
    assert not [kind for kind in kinds if is_comparable(Field("x", kind))]


def asked(count: int = 2, snapshot: int | None = 7) -> Asked:
    return Asked("visits", "raw.visits", snapshot, Sum(FIELDS, count, 99))


def found(answer: Any) -> list[str]:
    return [each.text for each in compare([asked()], "trino", lambda _: [answer])]


def test_an_engine_that_agrees_is_no_finding_and_one_that_does_not_is_named() -> None:
    assert found((2, 99)) == []
    assert "finds 3 rows" in found((3, 99))[0]
    assert "checksum 98" in found((2, 98))[0]
    assert "can not read raw.visits: no file" in found("no file")[0]


def test_a_table_without_a_snapshot_is_not_asked_for() -> None:
    def never(asked: Any) -> Any:
        raise AssertionError(asked)

    assert list(compare([asked(0, None)], "trino", never)) == []


def test_a_statement_names_the_snapshot_and_the_dataset_of_the_quarantine() -> None:
    quarantine = Asked("visits", "raw.quarantine", 7, Sum(FIELDS), "visits")
    for dialect, at in (
        (TRINO, '"raw"."quarantine" for version as of 7'),
        (SPARK, "`raw`.`quarantine` version as of 7"),
    ):
        assert dialect.query(quarantine).endswith(f"{at} where dataset = 'visits'")


def test_a_column_that_was_renamed_since_is_asked_for_by_its_name_of_then(world: Any) -> None:
    with world.table("raw.visits").update_schema() as change:
        change.rename_column("page", "path")
        change.add_column("referrer", StringType())
    names = names_at_snapshot(world.table("raw.visits"))
    assert (names["path"], names.get("referrer")) == ("page", None)
    renamed = Asked("visits", "raw.visits", 7, Sum([Field("path", "string")]), names=names)
    assert '"page"' in TRINO.query(renamed)
