"""Rewrites are compare and swap, keep every other row, and carry the landing's offsets on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.manifest import DataFile
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.transforms import DayTransform, IdentityTransform
from pyiceberg.types import LongType, NestedField, StringType, TimestamptzType

from millrace.lake import LakeCatalog
from millrace.lake.commit import CommitRefusedError, commit_append
from millrace.lake.offsets import SUMMARY_KEY, TopicOffsets, dump, recorded
from millrace.lake.rewrite import commit_rewrite
from millrace.landing.writer import TableWriter

OFFSETS = {"orders": TopicOffsets({0: 12}, "id-1")}
DAY_US = 86_400_000_000
#: As the raw tables and the quarantine are: by day, and by a string that may be null.
SCHEMA = Schema(
    NestedField(1, "id", LongType(), required=False),
    NestedField(2, "at", TimestamptzType(), required=False),
    NestedField(3, "status", StringType(), required=False),
)
SPEC = PartitionSpec(
    PartitionField(2, 1000, DayTransform(), "at_day"),
    PartitionField(3, 1001, IdentityTransform(), "status"),
)


@pytest.fixture
def table(lake_catalog: LakeCatalog, tmp_path: Path) -> Table:
    location = f"file://{tmp_path}/things"
    table = lake_catalog.create_table("raw.things", SCHEMA, location, partition_spec=SPEC)
    first = written(table, (1, 0, "open"), (2, 0, "open"), (3, 1, None))
    return commit_append(lake_catalog, table, first, {SUMMARY_KEY: dump(OFFSETS)}, None)


def written(table: Table, *rows: tuple[int, int, str | None]) -> list[DataFile]:
    """New files of rows: id, day, status."""
    writer = TableWriter("raw.things", table.metadata, table.io)
    records = [{"id": id_, "at": day * DAY_US, "status": status} for id_, day, status in rows]
    writer.write(pa.Table.from_pylist(records, schema=writer.arrow_schema))
    return [file.data_file() for file in writer.close()]


def file_of(table: Table, id_: int) -> DataFile:
    """The live file that holds a row."""
    (task,) = table.scan(row_filter=f"id = {id_}").plan_files()
    return task.file


def rows(catalog: LakeCatalog) -> dict[int, str | None]:
    found = catalog.load_table("raw.things").scan().to_arrow()
    ids: list[int] = found["id"].to_pylist()
    assert len(ids) == len(set(ids))
    return dict(zip(ids, found["status"].to_pylist(), strict=True))


def mark(catalog: LakeCatalog, table: Table, **summary: str) -> Table:
    """Rows 1 and 2 become `replayed`."""
    at = table.metadata.current_snapshot_id
    assert at is not None
    added = written(table, (1, 0, "replayed"), (2, 0, "replayed"))
    return commit_rewrite(catalog, table, [file_of(table, 1)], added, summary, at)


def test_a_rewrite_replaces_its_files_and_keeps_the_others(
    lake_catalog: LakeCatalog, table: Table
) -> None:
    mark(lake_catalog, table, note="marked")
    assert rows(lake_catalog) == {1: "replayed", 2: "replayed", 3: None}
    snapshot = lake_catalog.load_table("raw.things").current_snapshot()
    assert snapshot is not None and snapshot.summary is not None
    assert (snapshot.summary.operation.value, snapshot.summary["note"]) == ("overwrite", "marked")
    counts = {name: snapshot.summary[name] for name in ("total-records", "total-data-files")}
    assert counts == {"total-records": "3", "total-data-files": "2"}


def test_files_of_a_partition_without_a_value_can_be_replaced_and_files_removed(
    lake_catalog: LakeCatalog, table: Table
) -> None:
    at = table.metadata.current_snapshot_id
    assert at is not None
    removed = [file_of(table, 1), file_of(table, 3)]
    commit_rewrite(lake_catalog, table, removed, written(table, (3, 1, "open")), {}, at)
    assert rows(lake_catalog) == {3: "open"}


def test_a_rewrite_carries_the_landings_offsets_on(lake_catalog: LakeCatalog, table: Table) -> None:
    snapshot = mark(lake_catalog, table).current_snapshot()
    assert snapshot is not None and snapshot.summary is not None
    assert snapshot.summary[SUMMARY_KEY] == dump(OFFSETS)
    assert recorded(lake_catalog.load_table("raw.things")) == OFFSETS


def test_a_rewrite_that_was_planned_before_a_batch_landed_is_refused_and_leaves_no_manifest(
    lake_catalog: LakeCatalog, table: Table, tmp_path: Path
) -> None:
    planned = lake_catalog.load_table("raw.things")
    at = table.metadata.current_snapshot_id
    commit_append(lake_catalog, table, written(table, (4, 2, "open")), {}, at)
    manifests = sorted(tmp_path.rglob("*.avro"))
    with pytest.raises(CommitRefusedError):
        mark(lake_catalog, planned)
    assert rows(lake_catalog) == {1: "open", 2: "open", 3: None, 4: "open"}
    assert sorted(tmp_path.rglob("*.avro")) == manifests


def test_a_file_that_was_replaced_already_refuses_the_rewrite(
    lake_catalog: LakeCatalog, table: Table
) -> None:
    gone = file_of(table, 1)
    table = mark(lake_catalog, table)
    at = table.metadata.current_snapshot_id
    assert at is not None
    with pytest.raises(CommitRefusedError, match="Missing required files"):
        commit_rewrite(lake_catalog, table, [gone], written(table, (1, 0, "open")), {}, at)
    assert rows(lake_catalog)[1] == "replayed"


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_connection_that_breaks_around_the_commit_rewrites_once(
    lake_catalog: LakeCatalog, metastore: Any, table: Table, moment: str
) -> None:
    broken: list[str] = []

    def fail(now: str) -> None:
        if now == moment and not broken:
            broken.append(now)
            raise ConnectionResetError(now)

    metastore.fail = fail
    mark(lake_catalog, table)
    assert rows(lake_catalog) == {1: "replayed", 2: "replayed", 3: None}
    assert len(lake_catalog.load_table("raw.things").snapshots()) == 2
