"""Processed tables made and kept in the shape that the contracts say."""

from __future__ import annotations

from typing import Any

from pyspark.sql import SparkSession

from millrace.errors import MillraceError
from millrace.processed import NAMESPACE, ProcessedTable
from millrace.table_properties import TABLE_PROPERTIES
from spark_jobs.batch.iceberg import CATALOG, java_table
from spark_jobs.transforms.columns import former_names, table_columns

PROPERTIES = {"format-version": "2", **TABLE_PROPERTIES}


def require_raw(spark: SparkSession, table: ProcessedTable) -> None:
    """Refuse to go on where the raw table is missing.

    Raises:
        MillraceError: naming it.
    """
    if not spark.catalog.tableExists(f"{CATALOG}.{table.contract.raw_table}"):
        raise MillraceError(
            table.contract.raw_table,
            f"there is no such table, and {table.identifier} is made from it",
            "bin/millrace apply",
        )


def ensure_table(spark: SparkSession, table: ProcessedTable) -> None:
    """Create the table, or give it the names, columns and wider types that its contract has now.

    A renamed field keeps its column under the new name: a new one beside it would be null in every
    row there is, and a key that is null is a key that no record matches. A field that has left the
    contract keeps its column; new rows have null there.
    """
    if not spark.catalog.tableExists(f"{CATALOG}.{table.identifier}"):
        spark.sql(_create_statement(table))
        return
    _rename(spark, table)
    wanted = ", ".join(f"`{name}` {kind}" for name, kind, _ in table_columns(table))
    java: Any = spark._jvm
    struct = java.org.apache.spark.sql.types.StructType.fromDDL(wanted)
    loaded = java_table(spark, table.identifier)
    before = loaded.schema().asStruct()
    update = loaded.updateSchema().unionByNameWith(
        java.org.apache.iceberg.spark.SparkSchemaUtil.convert(struct)
    )
    if not update.apply().asStruct().equals(before):
        update.commit()


def _rename(spark: SparkSession, table: ProcessedTable) -> None:
    """Give columns under a former name of their field its present one, in one commit."""
    loaded = java_table(spark, table.identifier)
    present = {column.name() for column in loaded.schema().columns()}
    formers = former_names(table)
    renamed = {
        former: name
        for name, known in formers.items()
        if name not in present
        for former in [next((each for each in known if each in present), None)]
        if former is not None
    }
    if renamed:
        update = loaded.updateSchema()
        for former, name in renamed.items():
            update = update.renameColumn(former, name)
        update.commit()


def _create_statement(table: ProcessedTable) -> str:
    columns = ", ".join(
        f"`{name}` {kind}" + (f" COMMENT '{_quoted(comment)}'" if comment else "")
        for name, kind, comment in table_columns(table)
    )
    parts = f"PARTITIONED BY (month(`{table.time_column}`))" if table.by_month else ""
    properties = ", ".join(
        f"'{name}' = '{value}'"
        for name, value in {**PROPERTIES, "millrace.owner": table.contract.owner}.items()
    )
    return (
        f"CREATE TABLE IF NOT EXISTS {CATALOG}.{NAMESPACE}.`{table.name}` ({columns}) "
        f"USING iceberg {parts} TBLPROPERTIES ({properties})"
    )


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
