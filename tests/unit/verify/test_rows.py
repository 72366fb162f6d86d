"""Rows as they are in the files, whatever their columns were called when they were written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.catalog import Catalog
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.table import Table
from pyiceberg.types import StringType

from millrace.verify.tables import scan

STEP = pa.struct({"link": pa.string(), "n": pa.int32()})
SCHEMA = pa.schema({"id": pa.int64(), "steps": pa.list_(STEP)})
ROWS = [
    {"id": 1, "steps": None},
    {"id": 2, "steps": []},
    {"id": 3, "steps": [{"link": "a", "n": 1}, None]},
    {"id": 4, "steps": [{"link": None, "n": 2}]},
]


@pytest.fixture
def table(lake_catalog: Catalog, tmp_path: Path) -> Table:
    """A table whose file was written by Arrow: PyIceberg would make empty lists of nulls."""
    table = lake_catalog.create_table("raw.walks", SCHEMA, location=f"file://{tmp_path}/walks")
    schema = schema_to_pyarrow(table.schema(), include_field_ids=True)
    file = tmp_path / "walks.parquet"
    pq.write_table(pa.Table.from_pylist(ROWS, schema), file, store_schema=False)
    change = table.transaction()
    change.add_files([f"file://{file}"], check_duplicate_files=False)
    change.commit_transaction()
    return lake_catalog.load_table("raw.walks")


def read(table: Table) -> list[dict[str, Any]]:
    return [row for batch in scan(table) for row in batch.to_pylist()]


def test_a_null_list_is_not_an_empty_one(table: Table) -> None:
    assert read(table) == ROWS


def test_renamed_and_added_columns_are_found_at_every_depth(table: Table) -> None:
    with table.update_schema() as change:
        change.rename_column("id", "number")
        change.rename_column(("steps", "element", "link"), "url")
        change.add_column(("steps", "element", "title"), StringType())
        change.add_column("note", StringType())
    rows = read(table)
    assert [row["number"] for row in rows] == [1, 2, 3, 4]
    assert [row["note"] for row in rows] == [None] * 4
    assert [row["steps"] for row in rows] == [
        None,
        [],
        [{"url": "a", "n": 1, "title": None}, None],
        [{"url": None, "n": 2, "title": None}],
    ]
