"""From the records of a raw table to the rows of a processed table, in three steps.

`typed_records` gives every record the contract's columns and its audit columns; the latest ones
are chosen from these (`latest`); `table_rows` makes the rows of the table from the chosen ones, an
array's items where the table is an array's.
"""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from millrace.contracts import Contract, Field
from millrace.processed import ProcessedTable
from spark_jobs.transforms.columns import column_type, table_columns
from spark_jobs.transforms.latest import latest_by_key
from spark_jobs.transforms.standardise import standardised

#: Marks a row that is no longer part of its record.
IS_GONE = "is_gone"


def typed_records(raw: DataFrame, contract: Contract, processed_at: datetime) -> DataFrame:
    """The records with the contract's columns in its types, and the audit columns.

    Tombstones are left out: they say that an entity was deleted, and what that means for the rows
    that refer to it is a decision of its own.
    """
    own = [_typed(field, raw.columns) for field in contract.fields]
    return raw.where(~F.coalesce("is_tombstone", F.lit(False))).select(
        *own,
        F.col("kafka_topic").alias("source_topic"),
        F.col("kafka_partition").alias("source_partition"),
        F.col("kafka_offset").alias("source_offset"),
        F.col("kafka_at").alias("source_at"),
        F.lit(processed_at).alias("processed_at"),
    )


def table_rows(records: DataFrame, table: ProcessedTable) -> DataFrame:
    """The rows that the records, one for each entity, mean for the table."""
    rows = records if table.child is None else _items(records, table)
    standard = {field.name: standardised(field) for field in table.fields}
    return rows.select(*(standard.get(name, F.col(name)) for name, _, _ in table_columns(table)))


def with_gone_rows(
    rows: DataFrame, records: DataFrame, existing: DataFrame, table: ProcessedTable
) -> DataFrame:
    """The rows, and those of the same records that exist and are no longer part of them."""
    touched = records.select(*table.contract.key)
    gone = (
        existing.select(*table.key)
        .join(touched, on=list(table.contract.key), how="left_semi")
        .join(rows.select(*table.key), on=list(table.key), how="left_anti")
        .withColumn(IS_GONE, F.lit(True))
    )
    return rows.withColumn(IS_GONE, F.lit(False)).unionByName(gone, allowMissingColumns=True)


def _typed(field: Field, present: list[str]) -> Column:
    """The field in its type; null where the raw table did not have the column yet.

    A snapshot from before a renaming is read with the names of its time.
    """
    name = next((each for each in (field.name, *field.aliases) if each in present), None)
    column = F.lit(None) if name is None else F.col(name)
    return column.cast(column_type(field)).alias(field.name)


def _items(records: DataFrame, table: ProcessedTable) -> DataFrame:
    """One row for each item of the array.

    An item number that is given twice is one row, the last of the two: a table has one row a key,
    and the sum of the lines then differs from the total, which the quality gate reports.
    """
    assert table.child is not None
    contract = table.contract
    audit = [name for name in records.columns if name not in {f.name for f in contract.fields}]
    event = (
        [F.col(str(contract.event_time)).alias(table.event_column)] if table.event_column else []
    )
    exploded = records.select(
        *contract.key, *event, *audit, F.posexplode(table.child.name).alias("_position", "_item")
    )
    items = [field.name for field in table.fields if field.name not in contract.key]
    flat = exploded.select(
        *contract.key,
        *(F.col("_item").getField(name).alias(name) for name in items),
        *([table.event_column] if table.event_column else []),
        *audit,
        "_position",
    )
    return latest_by_key(flat, table.key, ["_position"]).drop("_position")
