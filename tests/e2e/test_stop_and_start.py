"""Stopping leaves no process, starting finds all data, whatever ended the supervisor.

The processes are this machine's: tests/docker/test_lasting.py has the same for containers.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from millrace.settings import Settings

Query = Callable[[str], list[list[Any]]]


def processes(settings: Settings) -> dict[int, str]:
    """Every process of the cluster, by its mark or by its working folder."""
    found = {}
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            marked = process.environ().get("MILLRACE_SUPERVISED")
            of_ours = process.environ().get("MILLRACE_CLUSTER") == str(settings.home)
            at_home = Path(process.cwd()).is_relative_to(settings.home)
            if (marked and of_ours) or at_home:
                found[process.pid] = " ".join(process.cmdline())[:120]
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def pids(millrace: Any) -> dict[str, int]:
    services = json.loads(millrace("status", "--json", expect=None).stdout)["services"]
    return {entry["name"]: entry["pid"] for entry in services if entry["pid"]}


def rows_everywhere(query: Query) -> list[list[Any]]:
    return query(
        "select 'raw', count(*) from raw.customers union all"
        " select 'processed', count(*) from processed.customers union all"
        " select 'marts', count(*) from marts.dim_customer order by 1"
    )


def supervisor(settings: Settings) -> psutil.Process:
    """The supervisor of the cluster under test, by the pid that `up` recorded."""
    process = psutil.Process(int((settings.home / "supervisor" / "pid").read_text()))
    assert Path(process.exe()).name == "process-compose"
    return process


def test_a_second_up_changes_nothing(cluster: Settings, millrace: Any) -> None:
    before = pids(millrace)
    millrace("up")
    assert pids(millrace) == before


@pytest.mark.native
def test_down_leaves_no_process_and_up_finds_the_data(
    cluster: Settings, millrace: Any, query: Query
) -> None:
    before = rows_everywhere(query)
    millrace("landing", "start")
    assert processes(cluster)
    millrace("down")
    assert processes(cluster) == {}
    millrace("up")
    assert rows_everywhere(query) == before


@pytest.mark.native
@pytest.mark.parametrize("command", ["up", "down"])
def test_after_the_supervisor_was_killed(cluster: Settings, millrace: Any, command: str) -> None:
    """The orphans are ended by the next command; `up` starts a full new set."""
    millrace("up")
    millrace("landing", "start")
    orphans = set(processes(cluster))
    killed = supervisor(cluster)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait(10)
    millrace(command)
    left = orphans & set(processes(cluster))
    assert not left
    if command == "down":
        assert processes(cluster) == {}
