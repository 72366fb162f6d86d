"""A topic of JSON into an Iceberg table as Spark's own documents do it: a peer of landing.

For `millrace bench ingest` alone. A streaming query with from_json and Iceberg's sink takes what
the topic holds and ends; its checkpoint knows how far it is. It validates nothing: a record that
does not decode becomes a row of nulls.
"""

from __future__ import annotations

import argparse

from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 - Spark's own convention

COLUMNS = (
    "sequence long, event_id string, device string, kind string, amount_cents long,"
    " happened_at timestamp, note string"
)


def parse_arguments() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("bootstrap", "topic", "table", "checkpoint"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--batch", type=int, required=True, help="records of one batch at most")
    return parser.parse_args()


def main() -> None:
    """Drain the topic."""
    options = parse_arguments()
    spark = SparkSession.builder.appName("bench-stock-streaming").getOrCreate()
    records = (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", options.bootstrap)
        .option("subscribe", options.topic)
        .option("startingOffsets", "earliest")
        .option("maxOffsetsPerTrigger", str(options.batch))
        .load()
    )
    rows = records.select(F.from_json(F.col("value").cast("string"), COLUMNS).alias("row"))
    query = (
        rows.select("row.*")
        .writeStream.format("iceberg")
        .outputMode("append")
        .trigger(availableNow=True)
        .option("checkpointLocation", options.checkpoint)
        .toTable(f"iceberg.{options.table}")
    )
    query.awaitTermination()
    spark.stop()


if __name__ == "__main__":
    main()
