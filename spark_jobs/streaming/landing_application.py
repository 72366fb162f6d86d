"""The landing application: every contract's topic into its raw table, bad records to quarantine.

One Structured Streaming query subscribes to all topics; each micro-batch is sifted in the tasks and
committed by the driver (`millrace.landing.lander`). The tables' own offsets are the only
checkpoint: at every start of a query they are read anew and the gate is passed, so a killed
driver, a second one or a lost checkpoint neither loses nor doubles a record. Spark's checkpoint
folder is fresh each time and means nothing afterwards.

A failure that may pass (a service that is being restarted) ends the query and starts it again
from the tables, for as long as the patience lasts. Contracts added or changed and applied while it
runs are noticed, and the query is started again with them. A marker on HDFS stops it between two
batches.

Submitted by `millrace landing start`, as `kafka_to_hdfs_streaming.py`.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.errors import StreamingQueryException
from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from millrace.contracts import Contract
from millrace.errors import MillraceError
from millrace.lake import catalog
from millrace.lake.io import HDFS_NAME
from millrace.landing.applied import ContractsChangedError
from millrace.landing.broker import Broker
from millrace.landing.control import Control, State
from millrace.landing.errors import TableMissingError
from millrace.landing.lander import Lander
from millrace.landing.positions import capped, records
from millrace.landing.watch import ContractsWatch, Patience
from millrace.settings import load
from spark_jobs.common.kafka import read_ranges, read_stream
from spark_jobs.streaming.landing_batches import LandingBatches

log = logging.getLogger("millrace.landing")

POLL_S = 1
REPORT_EVERY_S = 10.0


@dataclass(frozen=True)
class Options:
    """What `millrace landing start` passes on.

    Attributes:
        trigger_seconds: a micro-batch starts this often at most.
        max_offsets: records of one micro-batch at most; bounds memory and the time of a commit.
        patience_seconds: how long failures that may pass are waited for.
    """

    trigger_seconds: float
    max_offsets: int
    patience_seconds: float


class LandingApplication:
    """Lands until it is asked to stop, or until a failure that does not pass."""

    def __init__(self, spark: SparkSession, options: Options) -> None:
        self._spark = spark
        self._options = options
        self._settings = load()
        self._catalog = catalog(self._settings)
        self._control = Control(self._settings)
        self._watch = ContractsWatch(self._settings.contracts, self._catalog)
        self._patience = Patience(options.patience_seconds)
        self._batches = LandingBatches(
            spark, Control(self._settings), self._watch.require_current, self._patience.renew
        )
        self._topics: tuple[str, ...] = ()
        self._reported_at = 0.0

    def run(self) -> None:
        """Land until the stop marker is seen.

        Raises:
            MillraceError: what does not pass by itself: a gate, a contract, a missing table.
            Exception: what did not pass within the patience.
        """
        while True:
            try:
                if self._land():
                    self._report("stopped")
                    return
            except Exception as error:
                lasting = isinstance(error, MillraceError) and not error.transient
                if lasting or not self._patience.lasts():
                    self._report("failed", str(error))
                    raise
                log.warning("landing starts again after: %s", error, exc_info=True)
                self._report("retrying", str(error))
                self._patience.wait()

    def _land(self) -> bool:
        """Land from what the tables hold; True when asked to stop, False to start again."""
        self._report("starting")
        contracts = self._watch.load()
        self._topics = tuple(sorted(contract.topic for contract in contracts.values()))
        lander = self._open(list(contracts.values()))
        self._finish_unfinished(lander)
        checkpoint = self._control.new_checkpoint()
        stream = read_stream(
            self._spark, self._settings.kafka.address, lander.starts, self._options.max_offsets
        )
        query = (
            stream.writeStream.foreachBatch(self._batches.of(lander, checkpoint))
            .option("checkpointLocation", f"{HDFS_NAME}{checkpoint}")
            .trigger(processingTime=f"{int(self._options.trigger_seconds * 1000)} milliseconds")
            .queryName("landing")
            .start()
        )
        log.info("landing %s from %s", ", ".join(self._topics), lander.starts)
        self._report("running")
        try:
            return self._supervise(query)
        finally:
            # Between two batches: Spark's `stop` would interrupt a commit.
            self._batches.end(query.stop)

    def _open(self, contracts: Sequence[Contract]) -> Lander:
        writer = self._spark.sparkContext.applicationId
        broker = Broker(self._settings.kafka.address)
        lander = Lander(self._catalog, contracts, broker, writer)
        try:
            lander.open()
        except TableMissingError as error:  # it was there a moment ago: others are being applied
            raise ContractsChangedError from error
        return lander

    def _finish_unfinished(self, lander: Lander) -> None:
        """Land what a batch that died between its two commits left, topic by topic."""
        while unfinished := lander.unfinished():
            for topic, ranges in unfinished.items():
                part = {topic: capped(ranges, self._options.max_offsets)}
                log.info("finishing an interrupted batch: %s", part)
                frame = read_ranges(self._spark, self._settings.kafka.address, part)
                self._batches.land(lander, frame, part, lander.job(part), records(part[topic]))

    def _supervise(self, query: StreamingQuery) -> bool:
        """Wait for the query's end, a stop marker (True) or changed contracts (False)."""
        try:
            while not query.awaitTermination(POLL_S):
                if self._control.stop_is_asked():
                    self._control.withdraw_stop()
                    return True
                if self._watch.changed():
                    log.info("the contracts have changed")
                    return False
                if time.monotonic() - self._reported_at > REPORT_EVERY_S:
                    self._report("running")
        except StreamingQueryException as error:
            if isinstance(self._batches.failure, ContractsChangedError):
                log.info("the contracts have changed")
                return False
            if self._batches.failure is not None:
                raise self._batches.failure from None
            raise error from None
        return False

    def _report(self, state: str, detail: str = "") -> None:
        """Write the state down, as far as HDFS answers."""
        self._reported_at = time.monotonic()
        try:
            self._control.report(
                State(
                    state=state,
                    application_id=self._spark.sparkContext.applicationId,
                    at=time.time(),
                    topics=self._topics,
                    batches=self._batches.count,
                    records=self._batches.records,
                    detail=detail or self._watch.left_out,
                )
            )
        except Exception as error:  # the report is a courtesy, landing is not
            log.warning("state %s is not reported: %r", state, error)


def parse_arguments(arguments: Sequence[str]) -> Options:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trigger-seconds", type=float, default=2.0)
    parser.add_argument("--max-offsets", type=int, default=60_000)
    parser.add_argument("--patience-seconds", type=float, default=600.0)
    return Options(**vars(parser.parse_args(arguments)))


def main() -> None:
    """Run the application in this driver."""
    # A library has configured the root already.
    logging.basicConfig(
        format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING, force=True
    )
    logging.getLogger("millrace").setLevel(logging.INFO)
    options = parse_arguments(sys.argv[1:])
    spark = (
        SparkSession.builder.appName("millrace-landing")
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )
    try:
        LandingApplication(spark, options).run()
    except MillraceError as error:
        log.error("error: %s", error)
        # YARN starts a failed driver again. What does not pass by itself would only be refused
        # again; `landing start` asks the same gate, and says why.
        if error.transient:
            sys.exit(1)
    finally:
        spark.stop()
