"""Processes that are killed, frozen and thawed, each named by its pid and the moment it started."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from millrace.cluster.strays import is_alive, members, start_time

FIRST_CONTAINER = 1


@dataclass(frozen=True)
class ProcessId:
    """One process ever: pids are used again, a pid with its start is not."""

    pid: int
    started: int

    def __str__(self) -> str:
        return f"{self.pid}@{self.started}"

    @property
    def name(self) -> str:
        """Of the program; empty where it is gone."""
        try:
            return str(psutil.Process(self.pid).name()) if self.is_alive else ""
        except psutil.Error:
            return ""

    @property
    def is_alive(self) -> bool:
        """Whether it runs; a process that has ended and was not yet buried does not."""
        try:
            same = start_time(self.pid) == self.started
            return same and is_alive(psutil.Process(self.pid))
        except (OSError, psutil.Error):
            return False

    @property
    def is_frozen(self) -> bool:
        """Whether it is stopped by a signal."""
        try:
            return self.is_alive and psutil.Process(self.pid).status() == psutil.STATUS_STOPPED
        except psutil.Error:
            return False

    def kill(self) -> None:
        """End it at once."""
        self.signal(signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, unless it is gone."""
        if self.is_alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def identify(pid: int) -> ProcessId | None:
    """The process that has this pid now; None where none has."""
    try:
        return ProcessId(pid, start_time(pid))
    except OSError:
        return None


@dataclass(frozen=True)
class Container:
    """A container of YARN and its processes: the launcher, the JVM, Python."""

    id: str
    application: str
    processes: tuple[ProcessId, ...]

    def __str__(self) -> str:
        return f"{self.id} {' '.join(map(str, self.processes))}"

    @property
    def is_driver(self) -> bool:
        """The first container of an attempt holds the driver."""
        return int(self.id.rpartition("_")[2]) == FIRST_CONTAINER

    @property
    def is_alive(self) -> bool:
        """Whether any of its processes runs."""
        return any(each.is_alive for each in self.processes)

    @property
    def is_frozen(self) -> bool:
        """Whether every process of it that is left is stopped."""
        alive = [each for each in self.processes if each.is_alive]
        return bool(alive) and all(each.is_frozen for each in alive)

    @property
    def python(self) -> Container:
        """Only what runs Python: of a driver that is what plans and commits."""
        own = tuple(each for each in self.processes if each.name.startswith("python"))
        return replace(self, processes=own)

    def kill(self) -> None:
        """End all of it at once."""
        self._signal(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop all of it where it stands."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for each in self.processes:
            each.signal(number)


def containers(home: Path, applications: Iterable[str]) -> list[Container]:
    """The containers of these applications that run now, the latest first."""
    wanted = set(applications)
    grouped: dict[tuple[str, str], list[ProcessId]] = {}
    for member in members(home):
        if member.container and member.application in wanted:
            found = identify(member.process.pid)
            if found:
                grouped.setdefault((member.container, member.application), []).append(found)
    return [
        Container(name, application, tuple(sorted(processes, key=lambda each: each.pid)))
        for (name, application), processes in sorted(grouped.items(), reverse=True)
    ]
