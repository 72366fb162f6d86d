"""One processed table brought up to its raw table, in one commit.

The newest commit of the table says which raw snapshot it has read up to; the commit made here says
so for the next run. Whatever is read twice changes nothing, because a record only counts where it
is newer than what the table holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import reduce
from operator import and_

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from millrace.processed import ProcessedTable
from spark_jobs.batch import iceberg
from spark_jobs.batch.tables import ensure_table
from spark_jobs.transforms.columns import table_columns
from spark_jobs.transforms.latest import known_versions, latest_by_key, newer_than
from spark_jobs.transforms.rows import IS_GONE, table_rows, typed_records, with_gone_rows

NEW = "incoming"


@dataclass(frozen=True)
class Outcome:
    """What became of one table.

    Attributes:
        snapshot: the commit made; None where there was nothing to read.
        merged: rows inserted, updated and deleted.
    """

    table: ProcessedTable
    reading: iceberg.Reading
    snapshot: int | None = None
    merged: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        """One line for people."""
        name, raw = self.table.identifier, self.table.contract.raw_table
        if self.snapshot is None:
            return f"{name}: nothing new in {raw}"
        whole = f" (all of it: {self.reading.why})" if self.reading.why else ""
        counts = ", ".join(f"{number} {done}" for done, number in self.merged.items())
        return (
            f"{name}: read {self.reading.rows} rows of {raw}{whole}, {counts}, "
            f"snapshot {self.snapshot}"
        )


def bring_up(
    spark: SparkSession,
    table: ProcessedTable,
    parent: ProcessedTable | None,
    up_to: int | None,
    *,
    full: bool,
) -> Outcome:
    """Merge what is new in the raw table.

    Args:
        spark: a session of its own, because what it remembers and caches is this table's.
        parent: the table of the records that a child table's rows belong to.
        up_to: the raw snapshot to read up to; parent and child tables are given the same.
        full: read the whole raw table, whatever was read before.
    """
    ensure_table(spark, table)
    processed = iceberg.java_table(spark, table.identifier)
    raw_name = table.contract.raw_table
    raw = iceberg.java_table(spark, raw_name)
    last = iceberg.read_up_to(spark, processed, raw_name)
    reading = iceberg.plan_reading(spark, raw, last, up_to, full=full)
    if reading.up_to is None or reading.is_empty:
        return Outcome(table, reading)
    iceberg.remember(spark, raw_name, reading.up_to)
    records = _new_records(spark, table, parent, iceberg.read(spark, raw_name, reading))
    rows = table_rows(records, table)
    if table.child is not None:
        existing = spark.table(f"{iceberg.CATALOG}.{table.identifier}")
        rows = with_gone_rows(rows, records, existing, table)
    _merge(rows, table)
    snapshot = iceberg.java_table(spark, table.identifier).currentSnapshot()
    return Outcome(table, reading, snapshot.snapshotId(), iceberg.merged(snapshot))


def _new_records(
    spark: SparkSession, table: ProcessedTable, parent: ProcessedTable | None, raw: DataFrame
) -> DataFrame:
    """The latest record of each entity, where it is newer than what the table holds.

    An entity without any row in a child table may have had a newer record with an empty array;
    only its parent's row tells, so records older than that are left out as well.
    """
    key = table.contract.key
    event = (table.contract.event_time,) if table.contract.event_time else ()
    order = (*event, *table.version_columns[len(event) :])
    records = typed_records(raw, table.contract, datetime.now(UTC))
    records = latest_by_key(records, key, order)
    for holder in (table, parent):
        if holder is None:
            continue
        held = spark.table(f"{iceberg.CATALOG}.{holder.identifier}")
        known = known_versions(held, key, holder.version_columns)
        records = newer_than(records, known, key, order, or_same=holder is parent)
    return records


def _merge(rows: DataFrame, table: ProcessedTable) -> None:
    """MERGE the rows into the table by its key."""
    names = [name for name, _, _ in table_columns(table)]
    incoming = {name: F.col(f"{NEW}.{name}") for name in names}
    held = {name: F.col(f"{table.name}.{name}") for name in names}
    same_row = _all(held[name] == incoming[name] for name in table.key)
    unchanged = _all(held[each.name].eqNullSafe(incoming[each.name]) for each in table.fields)
    updated = {
        **incoming,
        # Who reads only what changed since the last time is not shown a record that repeats.
        "processed_at": F.when(unchanged, held["processed_at"]).otherwise(incoming["processed_at"]),
    }
    merge = rows.alias(NEW).mergeInto(f"{iceberg.CATALOG}.{table.identifier}", same_row)
    if table.child is not None:
        merge = merge.whenMatched(F.col(f"{NEW}.{IS_GONE}")).delete()
    merge.whenMatched().update(updated).whenNotMatched().insert(incoming).merge()


def _all(conditions: Iterable[Column]) -> Column:
    return reduce(and_, conditions)
