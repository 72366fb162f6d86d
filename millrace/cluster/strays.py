"""Finds and ends what belongs to a cluster but has outlived its supervisor.

A process is the cluster's by any of three marks: it carries the cluster's name in its environment
(services and their children, YARN containers), its pid and start time were recorded by the
launcher, or it works inside the state folder without a terminal (PostgreSQL overwrites its own
environment). Processes of other users can not be read and are left alone.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

_TERMINATE_SECONDS = 5.0


@dataclass(frozen=True)
class Member:
    """A process of the cluster."""

    process: psutil.Process
    service: str
    container: str

    @property
    def application(self) -> str:
        """The YARN application of a container, as YARN writes it; empty for a service."""
        parts = self.container.split("_")
        # container_e<epoch>_<cluster>_<application>_<attempt>_<container>; the epoch is optional.
        if len(parts) > 1 and parts[1].startswith("e"):
            del parts[1]
        return f"application_{parts[1]}_{parts[2]}" if self.container else ""


def members(home: Path) -> list[Member]:
    """Every process of the cluster whose state folder is `home`, except this one's family."""
    recorded = set(_recorded(home))
    family = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    return [
        member
        for process in psutil.process_iter()
        if process.pid not in family and (member := _member(process, home, recorded))
    ]


def _member(process: psutil.Process, home: Path, recorded: set[tuple[int, int]]) -> Member | None:
    try:
        environment = process.environ()
        marked = environment.get("MILLRACE_SUPERVISED") == "1"
        if (marked and environment.get("MILLRACE_CLUSTER") == str(home)) or (
            environment.get("MILLRACE_SUPERVISOR") == str(home)
        ):
            service = environment.get("MILLRACE_SERVICE", "")
            return Member(process, service, environment.get("CONTAINER_ID", ""))
        if (process.pid, start_time(process.pid)) in recorded or _works_inside(process, home):
            return Member(process, "", "")
    except (psutil.Error, OSError):
        return None
    return None


def _works_inside(process: psutil.Process, home: Path) -> bool:
    folder = Path(process.cwd())
    inside = any(folder.is_relative_to(home / name) for name in ("run", "data"))
    return inside and process.terminal() is None


def _recorded(home: Path) -> Iterator[tuple[int, int]]:
    for file in (home / "run").glob("*.pid"):
        words = file.read_text().split()
        if len(words) == 2:  # noqa: PLR2004 - pid and start time
            yield int(words[0]), int(words[1])


def start_time(pid: int) -> int:
    """The start of a process in clock ticks since boot: with the pid it names one process ever."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[19])


def end(found: list[Member], patience: float = _TERMINATE_SECONDS) -> list[Member]:
    """Ask processes to end, then end them; returns those that are still there."""
    _signal(found, signal.SIGTERM)
    left = _wait(found, patience)
    _signal(left, signal.SIGKILL)
    return _wait(left, patience)


def _signal(found: list[Member], number: signal.Signals) -> None:
    for member in found:
        try:
            member.process.send_signal(number)
        except psutil.Error:
            continue


def _wait(found: list[Member], patience: float) -> list[Member]:
    deadline = time.monotonic() + patience
    left = found
    while left and time.monotonic() < deadline:
        left = [member for member in left if is_alive(member.process)]
        if left:
            time.sleep(0.1)
    return left


def is_alive(process: psutil.Process) -> bool:
    """Whether anything of it is left but its exit code.

    A killed process is called a zombie when its first thread is gone; until the last one is, its
    ports and locks are held.
    """
    try:
        if not process.is_running():
            return False
        return process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1
    except psutil.Error:
        return False


def sweep(home: Path) -> int:
    """End every process of the cluster; returns how many there were.

    The supervisor goes first, or it would start again what is ended.
    """
    ended = 0
    # Twice: a process may have been forked while the first round was being read.
    for _ in range(2):
        found = members(home)
        supervisors = [member for member in found if _is_supervisor(member.process)]
        _signal(supervisors, signal.SIGKILL)
        end(found)
        ended += len(found)
        if not found:
            break
    for file in (home / "run").glob("*.pid"):
        file.unlink(missing_ok=True)
    return ended


def _is_supervisor(process: psutil.Process) -> bool:
    """Services inherit its environment, and carry a mark of their own."""
    try:
        environment = process.environ()
    except psutil.Error:
        return False
    return "MILLRACE_SUPERVISOR" in environment and "MILLRACE_SUPERVISED" not in environment
