"""Which of several versions of an entity counts.

The order of versions is total: the time of the event, then the time, partition and offset of the
record in Kafka. So the result does not depend on which records are read together.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812


def version(columns: Sequence[str]) -> Column:
    """The version of a row as one comparable value, whatever the columns are called."""
    return F.struct(*(F.col(name).alias(f"_{place}") for place, name in enumerate(columns)))


def latest_by_key(rows: DataFrame, key: Sequence[str], order: Sequence[str]) -> DataFrame:
    """One row for each key: the one that is greatest in the given order."""
    newest_first = Window.partitionBy(*key).orderBy(*(F.col(name).desc() for name in order))
    return (
        rows.withColumn("_rank", F.row_number().over(newest_first))
        .where(F.col("_rank") == 1)
        .drop("_rank")
    )


def known_versions(rows: DataFrame, key: Sequence[str], order: Sequence[str]) -> DataFrame:
    """The greatest version of each key: the key's columns and `known_version`."""
    return rows.groupBy(*key).agg(F.max(version(order)).alias("known_version"))


def newer_than(
    rows: DataFrame,
    known: DataFrame,
    key: Sequence[str],
    order: Sequence[str],
    *,
    or_same: bool = False,
) -> DataFrame:
    """The rows whose key is unknown or whose version is newer than the known one.

    Args:
        known: as `known_versions` gives it.
        or_same: keep also the rows of the known version itself.
    """
    own, other = version(order), F.col("known_version")
    wins = (own >= other) if or_same else (own > other)
    return (
        rows.join(known, on=list(key), how="left")
        .where(other.isNull() | wins)
        .select(*rows.columns)
    )
