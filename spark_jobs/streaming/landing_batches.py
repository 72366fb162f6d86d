"""Micro-batches of the landing query: sifted by tasks, committed by the driver, one at a time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial

from pyspark.sql import DataFrame, SparkSession

from millrace.landing.control import Control
from millrace.landing.lander import Lander
from millrace.landing.positions import Ranges, records, span
from millrace.landing.sift import LandingJob
from millrace.landing.task import RESULT_DDL, land
from millrace.landing.writer import WrittenFile
from spark_jobs.common.kafka import parse_offsets

log = logging.getLogger("millrace.landing")

#: One task writes one file a table and day; a second core is worth a second file from here on.
RECORDS_OF_ONE_TASK = 20_000


class LandingBatches:
    """Lands batches for one application.

    Attributes:
        count, records: batches and log positions landed since the application started.
        failure: why the last query's batch failed.
    """

    def __init__(
        self,
        spark: SparkSession,
        control: Control,
        begin: Callable[[], None],
        committed: Callable[[], None],
    ) -> None:
        """Calls `begin` when a batch is planned, and `committed` when it is."""
        self._cores = int(spark.conf.get("spark.executor.cores", "1") or "1")
        self._control = control
        self._begin = begin
        self._committed = committed
        self._lock = threading.Lock()
        self._ended = False
        self.count = 0
        self.records = 0
        self.failure: BaseException | None = None

    def of(self, lander: Lander, checkpoint: str) -> Callable[[DataFrame, int], None]:
        """The function that lands the batches of a new query."""
        self._ended, self.failure = False, None

        def land_batch(frame: DataFrame, batch: int) -> None:
            with self._lock:
                if self._ended:
                    raise RuntimeError(f"batch {batch} comes after the end of its query")
                try:
                    self._land_planned(lander, checkpoint, frame, batch)
                except BaseException as error:
                    self.failure = error
                    raise

        return land_batch

    def end(self, stop: Callable[[], None]) -> None:
        """Wait for the batch that is being landed, let no other begin, and stop the query."""
        with self._lock:
            self._ended = True
        # Not under the lock: the query may be waiting for it with the next batch.
        stop()

    def land(
        self,
        lander: Lander,
        frame: DataFrame,
        ranges: Mapping[str, Ranges],
        job: LandingJob,
        expected: int,
    ) -> None:
        """Sift the records of the ranges and commit them."""
        started = time.monotonic()
        tasks = 1 if expected < RECORDS_OF_ONE_TASK else self._cores
        rows = frame.coalesce(tasks).mapInArrow(partial(land, job=job), RESULT_DDL).collect()
        files = [WrittenFile.from_json(row["file"]) for row in rows]
        sifted = time.monotonic()
        lander.commit(ranges, files)
        done = time.monotonic()
        self.count += 1
        self.records += expected
        self._committed()
        log.info(
            "batch of %d positions: %d rows in %d files, sifted in %.2f s, committed in %.2f s",
            expected,
            sum(file.rows for file in files),
            len(files),
            sifted - started,
            done - sifted,
        )

    def _land_planned(self, lander: Lander, checkpoint: str, frame: DataFrame, batch: int) -> None:
        """Land what the query planned: from what the tables hold to the planned ends."""
        self._begin()
        planned = parse_offsets(self._control.planned_ends(checkpoint, batch))
        ranges = {topic: span(lander.starts[topic], ends) for topic, ends in planned.items()}
        ranges = {topic: each for topic, each in ranges.items() if each}
        if ranges:
            expected = sum(records(each) for each in ranges.values())
            self.land(lander, frame, ranges, lander.job(), expected)
