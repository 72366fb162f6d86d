"""Kafka as a source: the options that all reads of ours share, offsets as Spark spells them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pyspark.sql import DataFrame, SparkSession

Offsets = Mapping[str, Mapping[int, int]]
Ranges = Mapping[str, Mapping[int, tuple[int, int]]]

RECORD_COLUMNS = ("topic", "partition", "offset", "timestamp", "key", "value", "headers")


def offsets_json(offsets: Offsets) -> str:
    """`{"topic": {"0": 12}}`."""
    return json.dumps(
        {topic: {str(part): at for part, at in each.items()} for topic, each in offsets.items()}
    )


def parse_offsets(text: str) -> dict[str, dict[int, int]]:
    """The offsets of one line of a query's offset log."""
    return {
        topic: {int(part): at for part, at in each.items()}
        for topic, each in json.loads(text).items()
    }


def source_options(bootstrap: str) -> dict[str, str]:
    """Options of streaming and batch reads: no silent loss, committed records only, headers."""
    return {
        "kafka.bootstrap.servers": bootstrap,
        "kafka.isolation.level": "read_committed",
        "failOnDataLoss": "true",
        "includeHeaders": "true",
    }


def read_ranges(spark: SparkSession, bootstrap: str, ranges: Ranges) -> DataFrame:
    """The records of exactly these ranges, as a batch."""
    starts = {topic: {p: r[0] for p, r in each.items()} for topic, each in ranges.items()}
    ends = {topic: {p: r[1] for p, r in each.items()} for topic, each in ranges.items()}
    assigned = {topic: sorted(each) for topic, each in ranges.items()}
    return (
        spark.read.format("kafka")
        .options(**source_options(bootstrap))
        .option("assign", json.dumps(assigned))
        .option("startingOffsets", offsets_json(starts))
        .option("endingOffsets", offsets_json(ends))
        .load()
        .select(*RECORD_COLUMNS)
    )


def read_stream(spark: SparkSession, bootstrap: str, starts: Offsets, most: int) -> DataFrame:
    """The records from the given offsets on, at most so many a batch."""
    return (
        spark.readStream.format("kafka")
        .options(**source_options(bootstrap))
        .option("subscribe", ",".join(sorted(starts)))
        .option("startingOffsets", offsets_json(starts))
        .option("maxOffsetsPerTrigger", str(most))
        .load()
        .select(*RECORD_COLUMNS)
    )
