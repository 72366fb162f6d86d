"""Stopping leaves no process, starting finds all data, whatever ended the supervisor.

The processes are this machine's: tests/docker/test_lasting.py has the same for containers.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from millrace.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
Query = Callable[[str], list[list[Any]]]
Eventually = Callable[[Callable[[], bool], float, str], None]
#: Processes of a start that has begun: there are 17 services and more when it is over.
SOME = 6


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


def half_started(settings: Settings, eventually: Eventually) -> set[int]:
    """A start whose supervisor is killed when some services run: what it leaves behind."""
    start = subprocess.Popen(
        [str(ROOT / "bin" / "millrace"), "up"], cwd=ROOT, stdout=subprocess.DEVNULL
    )
    eventually(lambda: len(processes(settings)) >= SOME, 60.0, "services are started")
    kill_supervisor(settings)
    assert start.wait(60) == 1
    return set(processes(settings))


def kill_supervisor(settings: Settings) -> None:
    """As the machine's memory killer would."""
    killed = supervisor(settings)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait(10)


@pytest.mark.native
def test_up_finds_the_data_whatever_ended_the_services(
    cluster: Settings, millrace: Any, query: Query, eventually: Eventually
) -> None:
    """They are stopped, and then there is a start that is cut off; its orphans are ended."""
    before = rows_everywhere(query)
    millrace("landing", "start")
    assert processes(cluster)
    millrace("down")
    assert processes(cluster) == {}
    orphans = half_started(cluster, eventually)
    assert orphans
    millrace("up")
    assert not orphans & set(processes(cluster))
    assert rows_everywhere(query) == before


@pytest.mark.native
def test_down_ends_what_a_killed_supervisor_leaves(cluster: Settings, millrace: Any) -> None:
    millrace("up")
    millrace("landing", "start")
    assert processes(cluster)
    kill_supervisor(cluster)
    assert processes(cluster)
    millrace("down")
    assert processes(cluster) == {}
