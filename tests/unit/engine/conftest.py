"""A client and a daemon as shell scripts: what the code asks of them, and how they die.

The real ones are what `millrace test docker-smoke` runs; a unit test needs neither root nor them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from millrace.engine import daemon
from millrace.engine.daemon import Place

ROOT = Path(__file__).resolve().parents[3]
#: Answers as an engine with Compose and buildx; with --host, once that engine's daemon is there.
DOCKER = """
echo "$*" >> "$0.log"
case "$*" in
    "--host unix:///"*) folder=${2#unix://}; kill -0 "$(cat "${folder%/*}/docker.pid")" ;;
    *"{{json .}}"*) echo '{"ServerVersion": "20.10.24", "Name": "here", "MemTotal": 1}' ;;
    "compose version --short") echo 5.5.1 ;;
esac
"""
#: Writes its pid file, leaves a child as a container would be, and lives until it is ended.
DOCKERD = """
for word; do
    if [ "$before" = --pidfile ]; then pid_file=$word; fi
    before=$word
done
trap 'rm -f "$pid_file"; exit 0' TERM
sleep 20 &
echo $! > "$0.child"
echo $$ > "$pid_file"
while :; do sleep 0.05; done
"""
Script = Callable[[str, str], None]
StartElsewhere = Callable[[], int]


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    """Puts a program of this text before all others."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def put(name: str, text: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)

    return put


@pytest.fixture
def place(script: Script, tmp_path: Path) -> Iterator[Place]:
    """Where a private engine of the scripts is started; it is ended after the test."""
    script("docker", DOCKER)
    script("dockerd", DOCKERD)
    # As below a user's cache, so that the module's own commands find it.
    place = Place(tmp_path / "millrace" / "engine")
    yield place
    if pid := daemon.running(place):
        os.kill(pid, signal.SIGKILL)
    child = tmp_path / "tools" / "dockerd.child"
    if child.exists():
        os.kill(int(child.read_text()), signal.SIGKILL)


@pytest.fixture
def python() -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Runs a program with this repository's modules, in a process of its own."""
    begun: list[subprocess.Popen[str]] = []

    def run(program: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        begun.append(process)
        return process

    yield run
    for process in begun:
        process.kill()
        process.communicate()


@pytest.fixture
def start_elsewhere(place: Place, python: Callable[[str], subprocess.Popen[str]]) -> StartElsewhere:
    """Starts the daemon as a run that is over; returns the daemon's pid."""

    def start() -> int:
        said, errors = python(
            "from pathlib import Path\n"
            "from millrace.engine import daemon\n"
            f"daemon.start(daemon.Place(Path({str(place.folder)!r})), print)\n"
        ).communicate()
        pid = daemon.running(place)
        assert pid is not None, said + errors
        return pid

    return start


@pytest.fixture
def started(start_elsewhere: StartElsewhere) -> int:
    """The pid of a daemon that an earlier run started."""
    return start_elsewhere()
