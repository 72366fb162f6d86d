"""What Spark's SQL does not say about Iceberg tables, asked of Iceberg's own Java classes.

The sessions here keep a table as they first loaded it (`cache-enabled`, never expired), so that
all reads of a run and the MERGE at its end see one snapshot of each table. Iceberg checks at the
commit that nothing was written after that snapshot, which makes the run a compare and swap.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from millrace.processed import READ_UP_TO

CATALOG = "iceberg"
#: What a session must say for its tables to stay as first loaded.
ONE_SNAPSHOT_A_TABLE = {
    f"spark.sql.catalog.{CATALOG}.cache-enabled": "true",
    f"spark.sql.catalog.{CATALOG}.cache.expiration-interval-ms": "-1",
}

_SUMMARY_PREFIX = "spark.sql.iceberg.snapshot-property."
#: Snapshots whose new rows an incremental read finds (append), and those that bring none.
_READ_IN_STEPS = {"append", "replace", "delete"}


@dataclass(frozen=True)
class Reading:
    """What to read of a raw table.

    Attributes:
        after: the snapshot that was read already; None for the whole table.
        up_to: the last snapshot to read; None where the table has none yet.
        rows: how many there are to read.
        why: why the whole table is read; empty for an ordinary incremental read.
    """

    after: int | None
    up_to: int | None
    rows: int
    why: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing new."""
        return self.after == self.up_to


def java_table(spark: SparkSession, identifier: str) -> Any:
    """Iceberg's own object for a table, as this session sees it."""
    java: Any = spark._jvm
    return java.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(
        spark._jsparkSession, f"{CATALOG}.{identifier}"
    )


def ancestors(spark: SparkSession, table: Any) -> list[int]:
    """The ids of the current snapshot and of those before it, newest first."""
    java: Any = spark._jvm
    return list(java.org.apache.iceberg.util.SnapshotUtil.currentAncestorIds(table))


def read_up_to(spark: SparkSession, processed: Any, raw_identifier: str) -> int | None:
    """The raw snapshot that the table has read up to, None where no commit of it says."""
    for snapshot in ancestors(spark, processed):
        text = processed.snapshot(snapshot).summary().get(READ_UP_TO)
        if text is not None:
            position: int | None = json.loads(text).get(raw_identifier)
            return position
    return None


def current_snapshot(spark: SparkSession, identifier: str) -> int | None:
    """The table's current snapshot, None where it is empty."""
    snapshot = java_table(spark, identifier).currentSnapshot()
    return None if snapshot is None else int(snapshot.snapshotId())


def plan_reading(
    spark: SparkSession, raw: Any, last: int | None, up_to: int | None, *, full: bool
) -> Reading:
    """What to read after the last snapshot read, up to the given one.

    A given snapshot that is no ancestor of the table's state any more, because the table was
    rolled back since, is replaced by the current one.
    """
    line = ancestors(spark, raw)
    if up_to is None or not line:
        return Reading(last, last, 0)
    if up_to in line:
        newer, line = line[: line.index(up_to)], line[line.index(up_to) :]
        if last in newer and not full:
            return Reading(last, last, 0)
    up_to = line[0]
    why = ""
    if full:
        why = "as asked"
    elif last is None:
        why = "the first time"
    elif last not in line:
        why = f"snapshot {last}, which was read last, is no ancestor of the table's state any more"
    else:
        steps = [raw.snapshot(snapshot) for snapshot in line[: line.index(last)]]
        if all(step.operation() in _READ_IN_STEPS for step in steps):
            appended = [step for step in steps if step.operation() == "append"]
            return Reading(last, up_to, sum(_number(step, "added-records") for step in appended))
        why = "rows were rewritten since"
    return Reading(None, up_to, _number(raw.snapshot(up_to), "total-records"), why)


def read(spark: SparkSession, identifier: str, reading: Reading) -> DataFrame:
    """The rows that a reading means."""
    name = f"{CATALOG}.{identifier}"
    if reading.after is None:
        return spark.read.option("versionAsOf", str(reading.up_to)).table(name)
    return (
        spark.read.option("start-snapshot-id", str(reading.after))
        .option("end-snapshot-id", str(reading.up_to))
        .table(name)
    )


def remember(spark: SparkSession, raw_identifier: str, snapshot: int) -> None:
    """Have this session's next commit say what it has read."""
    spark.conf.set(f"{_SUMMARY_PREFIX}{READ_UP_TO}", json.dumps({raw_identifier: snapshot}))


def merged(snapshot: Any) -> dict[str, int]:
    """How many rows a MERGE inserted, updated and deleted, by its own count."""
    prefix = "spark.merge-into.num-target-rows-"
    return {each: _number(snapshot, prefix + each) for each in ("inserted", "updated", "deleted")}


def _number(snapshot: Any, key: str) -> int:
    return int(snapshot.summary().get(key) or 0)
