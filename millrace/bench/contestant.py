"""What a contestant is, and what all of them are given alike."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil
from pyiceberg.exceptions import NamespaceAlreadyExistsError, NoSuchTableError
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField, StringType, TimestamptzType

from millrace.cluster.strays import members
from millrace.contracts.places import HDFS
from millrace.environment import lake_environment
from millrace.errors import MillraceError
from millrace.lake import catalog
from millrace.settings import Settings
from millrace.table_properties import TABLE_PROPERTIES

NAMESPACE = "bench"
#: The columns of a record. Ours has a raw table, with the landing columns beside these.
SCHEMA = Schema(
    NestedField(1, "sequence", LongType()),
    NestedField(2, "event_id", StringType()),
    NestedField(3, "device", StringType()),
    NestedField(4, "kind", StringType()),
    NestedField(5, "amount_cents", LongType()),
    NestedField(6, "happened_at", TimestamptzType()),
    NestedField(7, "note", StringType()),
)
SHOWN_LINES = 15
STOP_S = 60.0
LOOK_EVERY_S = 5.0


@dataclass(frozen=True)
class Terms:
    """What is the same for all.

    Attributes:
        topic: what is drained.
        batch: records of one commit at most, where a contestant can be told.
        interval_s: between two commits at least, where it commits by time.
    """

    settings: Settings
    topic: str
    batch: int
    interval_s: float


class Contestant(Protocol):
    """Drains the topic into its table once it is started."""

    name: str
    title: str
    table: str

    def prepare(self) -> None:
        """Have an empty table."""

    def start(self) -> None:
        """Begin to drain from the topic's beginning."""

    def processes(self) -> Iterable[psutil.Process]:
        """The roots of its process trees."""

    def has_ended(self) -> bool:
        """Whether it has ended by itself.

        Raises:
            MillraceError: it has failed.
        """

    def stop(self) -> None:
        """End it; what it has committed stays."""


def make_table(settings: Settings, table: str) -> None:
    """Have an empty table with the columns of a record, unpartitioned."""
    lake = catalog(settings)
    with contextlib.suppress(NamespaceAlreadyExistsError):
        lake.create_namespace(NAMESPACE, {"location": f"{HDFS}/data/{NAMESPACE}"})
    with contextlib.suppress(NoSuchTableError):
        lake.drop_table(table)
    lake.create_table(
        table,
        SCHEMA,
        location=f"{HDFS}/data/{NAMESPACE}/{table.rpartition('.')[2]}",
        properties=TABLE_PROPERTIES,
    )


class Containers:
    """What runs in YARN's containers: nothing else does there than the contestant.

    To find them costs tens of milliseconds of a core that is measured, so it is done seldom: what
    a process has used until it is found is counted all the same.
    """

    def __init__(self, settings: Settings) -> None:
        self._home = settings.home
        self._found: list[psutil.Process] = []
        self._looked = -math.inf

    def roots(self) -> list[psutil.Process]:
        """The first process of each container."""
        if time.monotonic() - self._looked > LOOK_EVERY_S:
            self._found = roots(self._home)
            self._looked = time.monotonic()
        return self._found


def roots(home: Path) -> list[psutil.Process]:
    """The processes in containers of a cluster that no other one of them has started."""
    inside = [each.process for each in members(home) if each.container]
    pids = {each.pid for each in inside}
    return [each for each in inside if _parent(each) not in pids]


def _parent(process: psutil.Process) -> int:
    try:
        return int(process.ppid())
    except psutil.Error:
        return 0


class Program:
    """A program of this machine with a log."""

    def __init__(self, settings: Settings, name: str) -> None:
        self.log = settings.home / "logs" / f"bench-{name}.log"
        self._environment = lake_environment(settings)
        self._name = name
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Start it, in a session of its own."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                list(command),
                env={**self._environment, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def processes(self) -> list[psutil.Process]:
        """The program, while it runs."""
        if self._process is None or self._process.poll() is not None:
            return []
        try:
            return [psutil.Process(self._process.pid)]
        except psutil.Error:
            return []

    def has_ended(self) -> bool:
        """Whether it has ended, and well.

        Raises:
            MillraceError: it has failed.
        """
        code = self._process.poll() if self._process else None
        if code:
            cause = f"ended with {code}:\n{_tail(self.log)}"
            raise MillraceError(f"contestant {self._name}", cause, f"cat {self.log}")
        return code == 0

    def stop(self) -> None:
        """End it and its children."""
        if self._process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_S)


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-SHOWN_LINES:])
