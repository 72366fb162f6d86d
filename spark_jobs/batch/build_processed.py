"""Build the processed tables from the raw ones: latest states, typed, standardised, audited.

Each table reads the raw snapshots that are new to it and merges them in one commit, which says
what was read (`spark_jobs.batch.merge`); so a run that is killed, repeated or started twice
changes no row that it should not. Which raw snapshot a dataset is read up to is decided once, at
the start, so that orders and their lines tell of the same records while landing goes on. Datasets
go side by side, because a small job waits for the metastore and HDFS for most of its time.

    scripts/spark-submit spark_jobs/batch/build_processed.py [--dataset NAME]... [--full]
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from millrace.contracts import find, load_contracts
from millrace.errors import MillraceError, TransientError
from millrace.processed import ProcessedTable, processed_tables
from spark_jobs.batch.iceberg import ONE_SNAPSHOT_A_TABLE, current_snapshot
from spark_jobs.batch.merge import Outcome, bring_up
from spark_jobs.batch.tables import require_raw

log = logging.getLogger("millrace.processed")

#: A commit that lost a race is planned again from the table's new state.
TRIES = 3
LOST_RACES = ("ValidationException", "CommitFailedException")


@dataclass(frozen=True)
class Options:
    """What the command line says; no datasets means all."""

    datasets: tuple[str, ...] = ()
    full: bool = False


class Builder:
    """Builds the tables of a run, one session a table and try."""

    def __init__(self, spark: SparkSession, options: Options) -> None:
        self._spark = spark
        self._options = options

    def build(self, tables: Sequence[ProcessedTable]) -> list[MillraceError]:
        """Bring every table up, print a line for each, and return what failed."""
        datasets = [list(each) for _, each in groupby(tables, lambda table: table.contract.dataset)]
        # What refers to others first: a customer is landed before or with its first order.
        datasets.sort(key=lambda each: not each[0].by_month)
        session = self._spark.newSession()
        failures: list[MillraceError | None] = []
        with ThreadPoolExecutor(max_workers=max(len(datasets), 1)) as pool:
            started = []
            for each in datasets:
                try:
                    up_to = _current_raw(session, each[0])
                except MillraceError as error:
                    failures.append(error)
                else:
                    started.append(pool.submit(self._build_dataset, each, up_to))
            failures += [future.result() for future in started]
        return [failure for failure in failures if failure is not None]

    def _build_dataset(
        self, tables: Sequence[ProcessedTable], up_to: int | None
    ) -> MillraceError | None:
        """The dataset's own table first: its children ask it which record is the latest."""
        parent: ProcessedTable | None = None
        for table in tables:
            try:
                print(self._bring_up(table, parent, up_to), flush=True)
            except MillraceError as error:
                return error
            parent = table if table.child is None else parent
        return None

    def _bring_up(
        self, table: ProcessedTable, parent: ProcessedTable | None, up_to: int | None
    ) -> Outcome:
        for attempt in range(1, TRIES + 1):
            try:
                session = self._spark.newSession()
                return bring_up(session, table, parent, up_to, full=self._options.full)
            except (Py4JJavaError, PySparkException) as error:
                cause = root_cause(error)
                if attempt == TRIES or not any(name in cause for name in LOST_RACES):
                    log.exception("%s", table.identifier)
                    raise TransientError(table.identifier, cause, "make status") from None
                log.warning("%s is merged again after: %s", table.identifier, cause)
        raise AssertionError("unreachable: the last try returns or raises")


def _current_raw(spark: SparkSession, table: ProcessedTable) -> int | None:
    """The raw snapshot that is current now."""
    try:
        require_raw(spark, table)
        return current_snapshot(spark, table.contract.raw_table)
    except (Py4JJavaError, PySparkException) as error:
        cause = root_cause(error)
        raise TransientError(table.contract.raw_table, cause, "make status") from None


def root_cause(error: Exception) -> str:
    """The innermost exception that the JVM names, on one line."""
    lines = str(error).splitlines() or [repr(error)]
    causes = [line for line in lines if line.lstrip().startswith("Caused by: ")]
    if causes:
        return causes[-1].strip().removeprefix("Caused by: ")
    return " ".join(line.strip() for line in lines[:2])


def parse_arguments(arguments: Sequence[str]) -> Options:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", action="append", default=[], help="only this one; repeatable")
    parser.add_argument("--full", action="store_true", help="read the raw tables from the start")
    given = parser.parse_args(arguments)
    return Options(datasets=tuple(given.dataset), full=given.full)


def chosen_tables(options: Options) -> tuple[ProcessedTable, ...]:
    """The tables that the options ask for.

    Raises:
        MillraceError: a dataset has no contract, or no key to tell its entities apart.
    """
    contracts = load_contracts()
    tables = processed_tables(contracts.values())
    if not options.datasets:
        return tables
    wanted = {find(dataset, contracts).dataset for dataset in options.datasets}
    if keyless := wanted - {table.contract.dataset for table in tables}:
        raise MillraceError(
            f"dataset {min(keyless)}",
            "its contract has no primary key, so it has no processed table",
            "mark a field with `primaryKey: true`",
        )
    return tuple(table for table in tables if table.contract.dataset in wanted)


def main() -> None:
    """Run the job in this driver; exit with 1 where a table could not be built."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True)
    # PySpark repeats each failed statement there, with its whole stack, on standard output.
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)
    options = parse_arguments(sys.argv[1:])
    builder = SparkSession.builder.appName("millrace-processed")
    for name, value in {**ONE_SNAPSHOT_A_TABLE, "spark.sql.session.timeZone": "UTC"}.items():
        builder = builder.config(name, value)
    try:
        tables = chosen_tables(options)
        spark = builder.getOrCreate()
        failures = Builder(spark, options).build(tables)
        spark.stop()
    except MillraceError as error:
        failures = [error]
    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
