"""One try of a task works at a time, on real processes: dead, frozen, slow and thawed ones."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from millrace_airflow import claim as claim_module
from millrace_airflow.claim import Claim, SupersededError
from millrace_airflow.process import Process

Run = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def run() -> Iterator[Run]:
    """Start a shell program in a process group of its own, as a task does."""
    started: list[subprocess.Popen[str]] = []

    def start(program: str = "sleep 60") -> subprocess.Popen[str]:
        child = subprocess.Popen(
            ["/bin/sh", "-c", program], text=True, start_new_session=True, stdout=subprocess.PIPE
        )
        started.append(child)
        return child

    yield start
    for child in started:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        assert child.stdout
        child.stdout.close()


pytestmark = pytest.mark.usefixtures("state")


def try_number(number: int, run_id: str = "manual") -> Claim:
    return Claim("shop", run_id, "group.build", number)


def test_a_retry_ends_what_the_earlier_try_left_running(run: Run) -> None:
    first = try_number(1)
    first.take()
    left = first.launch(run)
    try_number(2).take()
    assert left.wait(5) == -signal.SIGTERM


def test_a_frozen_command_is_ended_too(run: Run) -> None:
    first = try_number(1)
    first.take()
    left = first.launch(run)
    os.killpg(left.pid, signal.SIGSTOP)
    try_number(2).take()
    assert left.wait(5) == -signal.SIGTERM


def test_a_command_that_does_not_listen_is_killed_with_its_children(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim_module, "GRACE_SECONDS", 0.3)
    first = try_number(1)
    first.take()
    left = first.launch(
        lambda: run("trap '' TERM; sh -c 'trap \"\" TERM; echo; sleep 60'; sleep 60")
    )
    assert left.stdout
    left.stdout.readline()  # Both have set their traps.
    try_number(2).take()
    assert left.wait(5) == -signal.SIGKILL
    assert not claim_module._members(left.pid)


def test_a_try_that_is_thawed_begins_nothing_more(run: Run) -> None:
    first = try_number(1)
    first.take()
    assert first.is_mine()
    try_number(2).take()
    assert not first.is_mine()
    for begin in (first.take, lambda: first.launch(run)):
        with pytest.raises(SupersededError, match="try 2 has taken over from try 1"):
            begin()


def test_another_run_of_the_task_is_left_alone(run: Run) -> None:
    first = try_number(1)
    first.take()
    child = first.launch(run)
    try_number(2, "another").take()
    assert child.poll() is None


def test_a_process_that_has_got_the_same_id_since_is_left_alone(run: Run) -> None:
    first = try_number(1)
    first.take()
    child = first.launch(run)
    text = first.file.read_text()
    started = claim_module._started(child.pid)
    first.file.write_text(text.replace(str(started), str(started - 100)))
    try_number(2).take()
    assert child.poll() is None


def test_claims_of_old_runs_are_dropped(state: Path) -> None:
    for number in range(claim_module.KEPT_RUNS + 5):
        try_number(1, f"run {number}").take()
    assert len(list((state / "run" / "claims" / "shop").iterdir())) == claim_module.KEPT_RUNS


def test_a_process_of_a_superseded_try_is_not_started(instance: Any, tmp_path: Path) -> None:
    process = Process()
    process.take(instance)
    Claim(instance.dag_id, instance.run_id, instance.task_id, 2).take()
    assert process.is_superseded
    with pytest.raises(SupersededError):
        process.run(["touch", str(tmp_path / "touched")])
    assert not (tmp_path / "touched").exists()
