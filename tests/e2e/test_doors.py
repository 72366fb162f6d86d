"""Nobody gets in: what listens while Spark works, and who can read the secrets.

Sockets and process lists are this machine's: tests/docker/test_doors.py has those of containers.
"""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from millrace.cluster.strays import members
from millrace.settings import Settings

LOOPBACK = {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
#: The smallest table: its driver and executor listen no less than those of all.
JOB = ("spark_jobs/batch/build_processed.py", "--dataset", "locations")
JOB_SECONDS = 300
#: Shorter values are no secrets that chance could not repeat.
SECRET_LENGTH = 16
#: Written by the services for themselves, or no text at all.
NOT_SEARCHED = {"secrets", "data", "dist"}


@dataclass
class Watched:
    """What was seen of the cluster's processes while a job ran."""

    #: protocol, address and port -> the process that listens there
    listening: dict[tuple[str, str, int], str] = field(default_factory=dict)
    #: YARN containers that listen
    containers: set[str] = field(default_factory=set)
    commands: set[str] = field(default_factory=set)

    def look(self, home: Path) -> None:
        """Add what is there now."""
        for process in cluster_processes(home):
            try:
                command = process.cmdline()
                container = process.environ().get("CONTAINER_ID")
                sockets = list(listeners(process))
            except psutil.NoSuchProcess:
                continue
            self.commands.add(" ".join(command))
            for at in sockets:
                self.listening[at] = f"{process.name()} {container or ''}".strip()
            if container and sockets:
                self.containers.add(container)


def cluster_processes(home: Path) -> set[psutil.Process]:
    """Every living process of this cluster, the containers of YARN and who submits them too."""
    found = {member.process for member in members(home)}
    for process in psutil.process_iter():
        try:
            if process.environ().get("MILLRACE_CLUSTER") == str(home):
                found.add(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def listeners(process: psutil.Process) -> Iterator[tuple[str, str, int]]:
    """Where a process takes what strangers send, from the kernel's socket tables."""
    for connection in process.net_connections(kind="inet"):
        if connection.type == socket.SOCK_STREAM:
            if connection.status == psutil.CONN_LISTEN:
                yield ("tcp", *connection.laddr)
        elif not connection.raddr:  # a UDP socket with a peer takes what this peer sends alone
            yield ("udp", *connection.laddr)


@pytest.fixture(scope="module")
def watched(
    cluster: Settings,
    millrace: Any,
    landing_application: Callable[[], dict[str, Any]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Watched:
    """The cluster, looked at each second while a Spark job runs beside the landing stream."""
    millrace("landing", "start")
    landing = landing_application()["id"]
    seen = Watched()
    said = tmp_path_factory.mktemp("doors") / "job.txt"
    deadline = time.monotonic() + JOB_SECONDS
    with said.open("w") as output:
        job = subprocess.Popen(
            [str(cluster.root / "scripts" / "spark-submit"), *JOB],
            cwd=cluster.root,
            env=dict(os.environ),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            while job.poll() is None and time.monotonic() < deadline:
                seen.look(cluster.home)
                time.sleep(1)
        finally:
            job.kill()
            job.wait()
    assert job.returncode == 0, said.read_text()[-3000:]
    seen.containers = {each for each in seen.containers if application(each) != landing}
    return seen


def application(container: str) -> str:
    """The application of a container: container_e1_<cluster>_<number>_<attempt>_<container>."""
    return "_".join(["application", *container.split("_")[-4:-2]])


@pytest.mark.native
def test_nothing_of_the_cluster_listens_outside_loopback(watched: Watched) -> None:
    assert len(watched.listening) > 15, "the sockets of the services were not seen"
    assert watched.containers, "the sockets of the job's containers were not seen"
    outside = {at: name for at, name in watched.listening.items() if at[1] not in LOOPBACK}
    assert not outside


def test_only_the_user_can_read_the_secrets(cluster: Settings) -> None:
    files = list(cluster.secrets.iterdir())
    assert len(files) >= 10
    assert stat.S_IMODE(cluster.secrets.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def secrets(settings: Settings) -> dict[str, bytes]:
    """Name to value, of the files that hold a single value."""
    contents = {file.name: file.read_bytes().strip() for file in settings.secrets.iterdir()}
    return {
        name: value
        for name, value in contents.items()
        if len(value.split()) == 1 and len(value) >= SECRET_LENGTH and name[-5:] != ".json"
    }


def written(home: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file that a service, a job or a command has written for people to read."""
    for folder in home.iterdir():
        if folder.name in NOT_SEARCHED or not folder.is_dir():
            continue
        for file in folder.rglob("*"):
            try:
                if file.is_file():
                    yield file, file.read_bytes()
            except FileNotFoundError:  # a running service has removed it
                continue


@pytest.mark.native
def test_no_secret_is_in_a_process_list_or_a_file(cluster: Settings, watched: Watched) -> None:
    values = secrets(cluster)
    assert len(values) >= 8
    assert len(set(values.values())) == len(values)
    commands = "\n".join(watched.commands).encode()
    assert not [name for name, value in values.items() if value in commands]
    searched = [(file, content) for file, content in written(cluster.home)]
    logs = {file.name for file, _ in searched}
    assert {"trino.log", "stdout", "stderr"} <= logs, "the logs were not read"
    leaks = [
        f"{name} in {file.relative_to(cluster.home)}"
        for file, content in searched
        for name, value in values.items()
        if value in content
    ]
    assert not leaks
