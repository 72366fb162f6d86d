"""Spark's part of L6: runs the statements it is given and prints their answers on one line.

A program of its own, so that neither a JVM nor PySpark enters the process that verifies.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from millrace.verify.engines import ANSWERS


def answers(spark: Any, statements: Sequence[str]) -> list[list[int] | str]:
    """Count and checksum of each statement, in one job; or why one failed, each by itself then."""
    together = " union all ".join(
        f"select {number}, * from ({statement})" for number, statement in enumerate(statements)
    )
    try:
        rows = sorted(spark.sql(together).collect())
    except Exception:  # one of them can not be read: which, and why
        return [_answer(spark, statement) for statement in statements]
    return [[int(count), int(total)] for _, count, total in rows]


def _answer(spark: Any, statement: str) -> list[int] | str:
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
        found = answers(spark, json.loads(sys.argv[1]))
    finally:
        spark.stop()
    print(ANSWERS + json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
