"""Those that run on YARN or in one Python: ours, stock Structured Streaming, a PyIceberg loop."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Sequence

import psutil
from pyiceberg.exceptions import NoSuchTableError

from millrace.apply import draw_up, execute
from millrace.bench.contestant import (
    NAMESPACE,
    Containers,
    Contestant,
    Program,
    Terms,
    make_table,
)
from millrace.chaos.landing import LandingStream
from millrace.chaos.triggers import NotSeenError
from millrace.cluster.strays import members
from millrace.contracts import load_contracts
from millrace.lake import catalog
from millrace.landing.yarn import CONFIGURATION, Application, Yarn

#: What an application that ends by itself does not need of landing's settings.
ENDLESS = ("spark.yarn.tags", "spark.yarn.submit.waitAppCompletion", "spark.yarn.maxAppAttempts")


class Ours:
    """The landing application, as `millrace landing start` submits it."""

    name = "millrace"
    title = "Millrace landing"

    def __init__(self, terms: Terms, dataset: str) -> None:
        self._terms = terms
        self._dataset = dataset
        self._stream = LandingStream(terms.settings, {})
        self._containers = Containers(terms.settings)
        self.table = f"raw.{dataset}"

    def prepare(self) -> None:
        """Have an empty raw table, which starts at the topic's beginning."""
        settings = self._terms.settings
        with contextlib.suppress(NoSuchTableError):
            catalog(settings).drop_table(self.table)
        execute(draw_up(settings, load_contracts(settings.contracts).values()), lambda step: None)

    def start(self) -> None:
        """Submit it."""
        self._stream.start()

    def processes(self) -> list[psutil.Process]:
        """Its containers."""
        return self._containers.roots()

    def has_ended(self) -> bool:
        """It is endless."""
        return False

    def stop(self) -> None:
        """Have it stop between two batches; what does not is ended."""
        with contextlib.suppress(NotSeenError):
            self._stream.stop()


class StockStreaming:
    """from_json and Iceberg's own sink in a query of Spark, with landing's sizes on YARN."""

    name = "spark"
    title = "Structured Streaming, stock"
    table = f"{NAMESPACE}.stock_streaming"

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._program = Program(terms.settings, self.name)
        self._containers = Containers(terms.settings)

    def prepare(self) -> None:
        """Have an empty table."""
        make_table(self._terms.settings, self.table)

    def start(self) -> None:
        """Submit it; the submitter waits for its end."""
        self._program.start(self._command())

    def processes(self) -> list[psutil.Process]:
        """Its containers; to submit it is not counted, as it is not for ours."""
        return self._containers.roots()

    def has_ended(self) -> bool:
        """Whether it has drained the topic."""
        return self._program.has_ended()

    def stop(self) -> None:
        """End the submitter and, where it still runs, the application."""
        self._program.stop()
        settings = self._terms.settings
        yarn = Yarn(settings)
        for name in {each.application for each in members(settings.home) if each.container}:
            yarn.kill(Application(name, "", 0))

    def _command(self) -> Sequence[str]:
        settings, landing = self._terms.settings, self._terms.settings.landing
        sizes = {
            "spark.driver.memory": landing.driver_memory,
            "spark.executor.memory": landing.executor_memory,
            "spark.executor.cores": str(landing.executor_cores),
            **{name: value for name, value in CONFIGURATION.items() if name not in ENDLESS},
        }
        return [
            str(settings.root / "scripts" / "spark-submit"),
            *("--deploy-mode", "cluster", "--name", "bench-stock-streaming"),
            *(part for name, value in sizes.items() for part in ("--conf", f"{name}={value}")),
            str(settings.root / "spark_jobs" / "streaming" / "drain_topic.py"),
            *("--bootstrap", settings.kafka.address, "--topic", self._terms.topic),
            *("--table", self.table, "--batch", str(self._terms.batch)),
            *("--checkpoint", f"hdfs://millrace/bench/{time.time_ns()}"),
        ]


class PlainLoop:
    """confluent-kafka, pyarrow.json and PyIceberg's `append` in one process."""

    name = "pyiceberg"
    title = "PyIceberg loop"
    table = f"{NAMESPACE}.plain_loop"

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._program = Program(terms.settings, self.name)

    def prepare(self) -> None:
        """Have an empty table."""
        make_table(self._terms.settings, self.table)

    def start(self) -> None:
        """Start it."""
        words = ["--topic", self._terms.topic, "--table", self.table]
        words += ["--batch", str(self._terms.batch)]
        self._program.start([sys.executable, "-m", "millrace.bench.plain_loop", *words])

    def processes(self) -> list[psutil.Process]:
        """The one process."""
        return self._program.processes()

    def has_ended(self) -> bool:
        """Whether it has drained the topic."""
        return self._program.has_ended()

    def stop(self) -> None:
        """End it."""
        self._program.stop()


def contestants(terms: Terms, dataset: str) -> dict[str, Contestant]:
    """All of them by name, in the order of their turns."""
    from millrace.bench.connect import KafkaConnect  # noqa: PLC0415 - it needs an optional unit

    all_: list[Contestant] = [
        Ours(terms, dataset),
        StockStreaming(terms),
        KafkaConnect(terms),
        PlainLoop(terms),
    ]
    return {each.name: each for each in all_}
