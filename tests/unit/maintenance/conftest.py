"""A landed topic, an engine that commits as a foreign one does, and a lake of any date."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from millrace.contracts.iceberg_schema import (
    quarantine_partitioning,
    quarantine_schema,
    raw_partitioning,
)
from millrace.contracts.model import Contract, Field
from millrace.contracts.names import QUARANTINE_TABLE
from millrace.lake import LakeCatalog
from millrace.lake.commit import commit_append
from millrace.lake.offsets import SUMMARY_KEY, TopicOffsets, dump
from millrace.landing.landed_table import LandedTable, Move
from millrace.landing.writer import TableWriter, WrittenFile
from millrace.maintenance.lake import Lake
from millrace.settings import Maintenance

#: Snapshots and files of the tests are made now; seen from here they are all old.
LATER = datetime.now(UTC) + timedelta(days=5)
DAY = timedelta(days=1)
CONTRACTS = {
    "visits": Contract(
        "visits",
        "visits",
        "1",
        "",
        "",
        (
            Field("visit_id", "string", required=True, key=True),
            Field("page_id", "string", references="pages.page_id"),
        ),
        key=("visit_id",),
    ),
    "pages": Contract(
        "pages",
        "pages",
        "1",
        "",
        "",
        (Field("page_id", "string", required=True, key=True),),
        key=("page_id",),
    ),
}


class Foreign:
    """An engine that knows nothing of landing: all rows into one file a partition.

    Attributes:
        statements: what it was asked.
        before: called before each commit; may commit itself.
    """

    def __init__(self, catalog: LakeCatalog) -> None:
        self.catalog = catalog
        self.statements: list[str] = []
        self.before: Callable[[], None] = lambda: None

    def execute(self, statement: str) -> None:
        self.statements.append(statement)
        self.before()
        if "optimize(" in statement:
            name = statement.split()[2].replace('"', "").removeprefix("iceberg.")
            table = self.catalog.load_table(name)
            rows = table.scan().to_arrow().to_pylist()
            with table.transaction() as change, change.update_snapshot().overwrite() as rewrite:
                for file in data_files(table):
                    rewrite.delete_data_file(file)
                for each in written(table, name, rows):
                    rewrite.append_data_file(each.data_file())


class Topic:
    """Raw and quarantine tables of one topic, landed as landing does.

    Attributes:
        folder: where its tables are.
        end: the offset that comes next.
    """

    def __init__(self, catalog: LakeCatalog, folder: Path) -> None:
        self.catalog = catalog
        self.folder = folder
        self.end = 0
        raw, quarantine = CONTRACTS["visits"].iceberg_schema(), quarantine_schema()
        for name, schema, spec in (
            ("raw.visits", raw, raw_partitioning(raw)),
            (QUARANTINE_TABLE, quarantine, quarantine_partitioning(quarantine)),
        ):
            location = f"file://{folder}/{name}"
            catalog.create_table(name, schema, location=location, partition_spec=spec)

    def land(self, *ages: timedelta, landed: timedelta | None = None) -> None:
        """One batch with a record of each age, through landing's own commit."""
        now = datetime.now(UTC)
        rows: list[dict[str, Any]] = [
            {
                "visit_id": str(self.end + number),
                "kafka_topic": "visits",
                "kafka_partition": 0,
                "kafka_offset": self.end + number,
                "kafka_at": now - age,
                "landed_at": now - (age if landed is None else landed),
            }
            for number, age in enumerate(ages)
        ]
        table = LandedTable(self.catalog, "raw.visits", "test")
        table.load()
        self.end += len(ages)
        move = Move({0: self.end}, "id-1")
        table.append(written(table.table, "raw.visits", rows), {"visits": move})

    def quarantine(self, *rows: dict[str, Any]) -> None:
        """Quarantined rows, with offsets as far as raw is landed."""
        table = self.table(QUARANTINE_TABLE)
        filled = [{"dataset": "visits", "kafka_topic": "visits", **row} for row in rows]
        files = [each.data_file() for each in written(table, QUARANTINE_TABLE, filled)]
        ends = dump({"visits": TopicOffsets({0: self.end}, "id-1")})
        at = table.metadata.current_snapshot_id
        commit_append(self.catalog, table, files, {SUMMARY_KEY: ends}, at)

    def table(self, name: str = "raw.visits") -> Table:
        return self.catalog.load_table(name)

    def offsets(self) -> list[int]:
        found: list[int] = self.table().scan().to_arrow()["kafka_offset"].to_pylist()
        return sorted(found)


def written(table: Table, name: str, rows: list[dict[str, Any]]) -> list[WrittenFile]:
    """Data files that no snapshot has."""
    writer = TableWriter(name, table.metadata, table.io)
    writer.write(pa.Table.from_pylist(rows, schema=writer.arrow_schema))
    return writer.close()


def data_files(table: Table) -> list[DataFile]:
    return [task.file for task in table.scan().plan_files()]


@pytest.fixture
def topic(lake_catalog: LakeCatalog, tmp_path: Path) -> Topic:
    for namespace in ("raw", "processed", "marts", "analytics", "staging", "intermediate"):
        lake_catalog.create_namespace_if_not_exists(namespace)
    return Topic(lake_catalog, tmp_path)


@pytest.fixture
def engine(lake_catalog: LakeCatalog) -> Foreign:
    return Foreign(lake_catalog)


@pytest.fixture
def lake(lake_catalog: LakeCatalog, engine: Foreign) -> Lake:
    """The lake five days later: all that a test has made is old."""
    return Lake(lake_catalog, CONTRACTS, Maintenance(), engine, LATER)


@pytest.fixture
def lake_now(lake_catalog: LakeCatalog, engine: Foreign) -> Lake:
    return Lake(lake_catalog, CONTRACTS, Maintenance(), engine)
