"""Runs of the tests share an engine, never a cluster; the last one ends what they started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from millrace.cli import docker_tests
from millrace.engine import daemon
from millrace.engine.daemon import Place
from millrace.errors import MillraceError

ROOT = Path(__file__).resolve().parents[3]
Run = subprocess.Popen[str]
Python = Callable[[str], Run]
#: Uses the engine until its input ends; what tidies up says so.
RUN = """
import sys
from pathlib import Path
from millrace.engine import provide
from millrace.engine.daemon import Place
try:
    with provide.engine(lambda step: None, Place(Path({folder!r}))):
        print("ready", flush=True)
        sys.stdin.read()
finally:
    print("tidied", flush=True)
"""


@pytest.fixture
def run(place: Place, python: Python, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Run]:
    """Starts a run of the tests, which uses the engine of `place`."""
    monkeypatch.setenv("DOCKER_HOST", place.address)

    def begin() -> Run:
        process = python(RUN.format(folder=str(place.folder)))
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", process.communicate()
        return process

    return begin


def by_hand(place: Place, order: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "millrace.engine", order],
        cwd=ROOT,
        env={**os.environ, "XDG_CACHE_HOME": str(place.folder.parent.parent)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_last_run_stops_an_engine_that_a_killed_run_left(
    place: Place, started: int, run: Callable[[], Run]
) -> None:
    first, second = run(), run()
    first.communicate()
    assert daemon.running(place) == started
    second.communicate()
    assert daemon.running(place) is None


def test_sigterm_ends_a_run_with_all_its_tidying(
    place: Place, started: int, run: Callable[[], Run]
) -> None:
    process = run()
    process.send_signal(signal.SIGTERM)
    said, errors = process.communicate()
    assert (process.returncode, said, errors) == (128 + signal.SIGTERM, "tidied\n", "")
    assert daemon.running(place) is None


def test_an_engine_started_by_hand_outlives_the_runs_and_is_not_stopped_under_one(
    place: Place, started: int, run: Callable[[], Run]
) -> None:
    process = run()
    assert by_hand(place, "start").returncode == 0
    refused = by_hand(place, "stop")
    assert refused.returncode == 1
    assert "the private engine: a run of the tests uses it" in refused.stderr
    process.communicate()
    assert daemon.running(place) == started
    assert by_hand(place, "stop").returncode == 0
    assert daemon.running(place) is None


def test_a_second_run_is_refused_and_told_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = docker_tests.alone(Path("/clones/first"))
    second = docker_tests.alone(Path("/clones/second"))
    with (
        first,
        pytest.raises(
            MillraceError, match="another run of them is at work, from /clones/first\n"
        ) as refused,
        second,
    ):
        pytest.fail("two runs at once")
    assert refused.value.remedy.startswith(f"flock {tmp_path}/millrace/engine/tests.lock true")
    with docker_tests.alone(Path("/clones/second")):
        pass


def test_a_run_that_is_broken_off_removes_its_containers_first(
    place: Place, tmp_path: Path
) -> None:
    docker = tmp_path / "tools" / "docker"
    listing = 'case "$*" in ps*) echo c1; echo c2 ;; "volume ls"*) echo v1 ;; esac'
    docker.write_text(f'#!/bin/sh\necho "$*" >> "$0.log"\n{listing}\n')
    with pytest.raises(SystemExit), docker_tests.removed_when_broken_off("millrace-test"):
        raise SystemExit(143)
    said = (tmp_path / "tools" / "docker.log").read_text().splitlines()
    assert [line for line in said if " rm " in line] == [
        "container rm --force c1 c2",
        "volume rm v1",
    ]
