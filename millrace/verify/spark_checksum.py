"""Spark's part of L6: runs the statements it is given and prints their answers on one line.

A program of its own, so that neither a JVM nor PySpark enters the process that verifies.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from millrace.verify.engines import ANSWERS


def answer(spark: Any, statement: str) -> list[int] | str:
    """Count and checksum, or why the statement failed."""
    try:
        ((count, total),) = spark.sql(statement).collect()
    except Exception as error:  # whatever Spark raises is its answer
        return str(error).splitlines()[0]
    return [int(count), int(total)]


def main() -> None:
    """Answer the statements of the first argument, a JSON array."""
    from pyspark.sql import SparkSession  # noqa: PLC0415 - not where the module is imported

    spark = SparkSession.builder.appName("millrace-verify").getOrCreate()
    try:
        answers = [answer(spark, statement) for statement in json.loads(sys.argv[1])]
    finally:
        spark.stop()
    print(ANSWERS + json.dumps(answers), flush=True)


if __name__ == "__main__":
    main()
