"""Containers are found by what YARN gives them, and killed, frozen and thawed as a whole."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from millrace.chaos.evidence import Evidence, Observation
from millrace.chaos.processes import Container, containers, identify
from millrace.chaos.report import FaultRun
from millrace.chaos.traces import contradictions
from millrace.chaos.triggers import until

APPLICATION = "application_1700000000000_0003"
DRIVER = "container_1700000000000_0003_01_000001"
EXECUTOR = "container_1700000000000_0003_01_000002"
WAIT_S = 20.0


def started(home: Path, container: str) -> subprocess.Popen[bytes]:
    """A shell and its child, as a launcher and its JVM."""
    marks = {"MILLRACE_SUPERVISED": "1", "MILLRACE_CLUSTER": str(home), "CONTAINER_ID": container}
    return subprocess.Popen(["bash", "-c", "sleep 600; true"], env={**os.environ, **marks})


@pytest.fixture
def running(tmp_path: Path) -> Iterator[list[Container]]:
    """A driver of the application, an executor, and a driver of another application."""
    other = "container_1700000000000_0004_01_000001"
    processes = [started(tmp_path, name) for name in (DRIVER, EXECUTOR, other)]

    def look() -> list[Container] | None:
        found = containers(tmp_path, [APPLICATION])
        both = len(found) == 2 and all(len(each.processes) == 2 for each in found)
        return found if both else None

    found = until("two containers of two processes", look, WAIT_S)
    yield found
    for each in (*found, *containers(tmp_path, ["application_1700000000000_0004"])):
        each.kill()
    for process in processes:
        process.wait(WAIT_S)


def test_the_containers_of_an_application_are_found(running: list[Container]) -> None:
    assert [(each.id, each.is_driver) for each in running] == [(EXECUTOR, False), (DRIVER, True)]
    assert {each.application for each in running} == {APPLICATION}


def test_a_container_is_frozen_thawed_and_killed_as_a_whole(running: list[Container]) -> None:
    executor, driver = running
    driver.freeze()
    until("the frozen driver", lambda: driver.is_frozen, WAIT_S)
    assert not executor.is_frozen
    driver.thaw()
    until("the thawed driver", lambda: not driver.is_frozen, WAIT_S)
    assert driver.is_alive
    driver.kill()
    until("its end", lambda: not driver.is_alive, WAIT_S)
    assert executor.is_alive


def test_a_pid_that_is_used_again_is_another_process(running: list[Container]) -> None:
    process = running[0].processes[0]
    assert identify(process.pid) == process
    earlier = type(process)(process.pid, process.started - 1)
    assert not earlier.is_alive
    earlier.kill()
    assert process.is_alive


def test_a_report_of_the_end_of_a_process_that_runs_is_contradicted(
    running: list[Container],
) -> None:
    _, driver = running
    told = Observation("ended", "process:driver", str(driver), None, 1.0)
    run = FaultRun("driver-before-commit", 0.0, 2.0, Evidence((told,)))
    assert len(contradictions(run, nothing)) == len(driver.processes)
    driver.kill()
    until("its end", lambda: not driver.is_alive, WAIT_S)
    assert contradictions(run, nothing) == []
    nobody = replace(run, evidence=Evidence((replace(told, before="the driver"),)))
    assert contradictions(nobody, nothing)[0].startswith("it names no process")


def test_a_commit_that_is_there_after_all_is_contradicted() -> None:
    told = Observation("absent", "commit:raw.orders", "77", None, 1.0)
    run = FaultRun("driver-before-commit", 0.0, 2.0, Evidence((told,)))
    assert contradictions(run, nothing) == []
    has = {("raw.orders", 77)}
    assert contradictions(run, lambda table, snapshot: (table, snapshot) in has)


def nothing(table: str, snapshot: int) -> bool:
    """A lake without that snapshot."""
    return False
