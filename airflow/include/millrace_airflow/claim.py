"""One try of a task works at a time: a later one ends what an earlier one left running.

Airflow gives a task a new try when the old one's heartbeat stops. It can not know whether that
process is dead, frozen or only slow, nor what it has started. So each try that is about to work
takes the task's claim, a file in the state folder: it ends the command that the claim names, even
a frozen one, and from then on the earlier try can begin nothing more and end nothing of the later
one's. Tries run on one machine here (LocalExecutor), which is what makes a process id enough.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from airflow.sdk.exceptions import AirflowException

from millrace_airflow import addresses

#: How long what an earlier try left may tidy up after SIGTERM; a retry waits for it.
GRACE_SECONDS = 10
LOOK_SECONDS = 0.1
#: Runs whose claims are kept: a task may be cleared long after.
KEPT_RUNS = 30

Start = Callable[[], "subprocess.Popen[str]"]


class SupersededError(AirflowException):
    """A later try of the task has begun; this one is over."""


@dataclass(frozen=True)
class Holder:
    """Who works: a try, and the process group of its command where it runs one.

    Attributes:
        started: when the process began, in the kernel's ticks, since ids are used again.
    """

    try_number: int = 0
    pid: int = 0
    started: int = 0


class Claim:
    """The claim of one task in one run, as one try of it sees it."""

    def __init__(
        self, dag_id: str, run_id: str, task_id: str, try_number: int, map_index: int = -1
    ) -> None:
        self.runs = addresses.home() / "run" / "claims" / _plain(dag_id)
        self.file = self.runs / _plain(run_id) / f"{_plain(task_id)}.{map_index}.json"
        self.try_number = try_number

    @classmethod
    def of(cls, instance: Any) -> Claim:
        """The claim of a task instance."""
        index = getattr(instance, "map_index", None)
        return cls(
            instance.dag_id,
            instance.run_id,
            instance.task_id,
            int(instance.try_number),
            -1 if index is None else index,
        )

    def take(self) -> None:
        """End what earlier tries left running.

        Raises:
            SupersededError: a later try was faster.
        """
        with self._locked():
            holder = self._current()
            if holder.try_number < self.try_number:
                _end(holder)
                self._write(Holder(self.try_number))

    def launch(self, start: Start) -> subprocess.Popen[str]:
        """Start a command, in a process group of its own, and note it.

        Raises:
            SupersededError: a later try has begun.
        """
        with self._locked():
            self._current()
            child = start()
            self._write(Holder(self.try_number, child.pid, _started(child.pid)))
            return child

    def is_mine(self) -> bool:
        """Whether no later try has begun."""
        with self._locked():
            return self._read().try_number <= self.try_number

    def _current(self) -> Holder:
        holder = self._read()
        if holder.try_number > self.try_number:
            raise SupersededError(
                f"try {holder.try_number} has taken over from try {self.try_number}"
            )
        return holder

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _read(self) -> Holder:
        try:
            return Holder(**json.loads(self.file.read_text()))
        except FileNotFoundError:
            self._drop_oldest()
            return Holder()

    def _write(self, holder: Holder) -> None:
        fresh = self.file.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(holder)))
        fresh.replace(self.file)

    def _drop_oldest(self) -> None:
        runs = sorted(self.runs.iterdir(), key=os.path.getmtime)
        for folder in runs[:-KEPT_RUNS]:
            shutil.rmtree(folder, ignore_errors=True)


def _end(holder: Holder) -> None:
    """End the group of a process, if it still is the one that was noted: also a frozen one."""
    # An id is not given away while a group has it, so another process means that it is gone.
    if not holder.pid or _started(holder.pid) not in (0, holder.started):
        return
    for number, patience in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, GRACE_SECONDS)):
        for each in (number, signal.SIGCONT):  # A frozen process takes no SIGTERM.
            with suppress(ProcessLookupError):
                os.killpg(holder.pid, each)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if not _members(holder.pid):
                return
            time.sleep(LOOK_SECONDS)


def _members(group: int) -> list[int]:
    """The living processes of a group."""
    found = []
    for folder in Path("/proc").iterdir():
        fields = _stat(folder.name) if folder.name.isdigit() else []
        if fields and int(fields[2]) == group and fields[0] not in "ZX":
            found.append(int(folder.name))
    return found


def _started(pid: int) -> int:
    """When a process began, in ticks since the machine did; 0 where there is none."""
    fields = _stat(str(pid))
    return int(fields[19]) if fields else 0


def _stat(pid: str) -> list[str]:
    """The fields of /proc/PID/stat from the state on; the name before them may hold anything."""
    try:
        return Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _plain(name: str) -> str:
    return re.sub(r"[^\w.+-]", "_", name)
