"""What outlives its supervisor is found by its marks, and nothing else is."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from millrace.cluster import strays

SLEEP = [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True);"
    "time.sleep(60)",
]

#: Takes the port whose number it is given, and needs a moment to be torn down.
LISTENER = """
import socket, sys, threading, time
door = socket.create_server(("127.0.0.1", int(sys.argv[1])))
held = bytearray(200_000_000)
for _ in range(300):
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
print(flush=True)
time.sleep(60)
"""


class Processes:
    def __init__(self, home: Path) -> None:
        self.home = home
        self.started: list[subprocess.Popen[bytes]] = []

    def start(
        self, command: list[str], environment: dict[str, str], folder: Path
    ) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            command,
            env={"PATH": os.environ["PATH"], **environment},
            cwd=folder,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdout
        process.stdout.readline()
        process.stdout.close()
        self.started.append(process)
        return process

    def mark(self, service: str) -> dict[str, str]:
        return {
            "MILLRACE_SUPERVISED": "1",
            "MILLRACE_CLUSTER": str(self.home),
            "MILLRACE_SERVICE": service,
        }


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    home = tmp_path / "state"
    for folder in ("run", "data/postgres"):
        (home / folder).mkdir(parents=True)
    group = Processes(home)
    yield group
    for process in group.started:
        process.kill()
        process.wait()


def test_a_sweep_ends_the_marked_the_recorded_and_those_inside(processes: Processes) -> None:
    home = processes.home
    marked = processes.start(STUBBORN, processes.mark("kafka"), home.parent)
    inside = processes.start(SLEEP, {}, home / "data" / "postgres")
    recorded = processes.start(SLEEP, {}, home.parent)
    (home / "run" / "trino.pid").write_text(f"{recorded.pid} {strays.start_time(recorded.pid)}\n")
    other = processes.start(
        SLEEP, processes.mark("kafka") | {"MILLRACE_CLUSTER": "/x"}, home.parent
    )
    assert {member.process.pid for member in strays.members(home)} == {
        marked.pid,
        inside.pid,
        recorded.pid,
    }
    strays.end([m for m in strays.members(home) if m.process.pid != marked.pid])
    strays.end(strays.members(home), patience=0.3)
    assert marked.wait(5) == -9
    assert inside.wait(5) == recorded.wait(5) == -15
    assert other.poll() is None
    assert strays.sweep(home) == 0
    assert not list((home / "run").glob("*.pid"))


def test_a_recorded_pid_that_is_another_process_now_is_left_alone(processes: Processes) -> None:
    later = processes.start(SLEEP, {}, processes.home.parent)
    (processes.home / "run" / "kafka.pid").write_text(f"{later.pid} 1\n")
    assert strays.members(processes.home) == []


def test_a_container_belongs_to_its_application(processes: Processes) -> None:
    container = processes.mark("") | {"CONTAINER_ID": "container_e02_1795_0003_01_000002"}
    processes.start(SLEEP, container, processes.home.parent)
    (member,) = strays.members(processes.home)
    assert member.application == "application_1795_0003"


def test_a_killed_process_is_alive_until_its_port_is_free(processes: Processes) -> None:
    """Its first thread, by which a zombie is known, is often gone before the others."""
    with socket.create_server(("127.0.0.1", 0)) as drawn:
        port = drawn.getsockname()[1]
    for _ in range(5):
        command = [sys.executable, "-c", LISTENER, str(port)]
        listener = psutil.Process(processes.start(command, {}, processes.home.parent).pid)
        listener.kill()
        while strays.is_alive(listener):
            pass
        with socket.create_server(("127.0.0.1", port)):
            pass


def test_a_sweep_also_waits_for_the_supervisor_that_it_kills_first(processes: Processes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as drawn:
        port = drawn.getsockname()[1]
    command = [sys.executable, "-c", LISTENER, str(port)]
    supervisor = {"MILLRACE_SUPERVISOR": str(processes.home)}
    for _ in range(5):
        processes.start(command, supervisor, processes.home.parent)
        assert strays.sweep(processes.home) == 1
        with socket.create_server(("127.0.0.1", port)):
            pass
