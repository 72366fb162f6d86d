"""What a machine that can not run the cluster is told: one golden file a case."""

from __future__ import annotations

import shutil
import socket
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from millrace.cli import cluster as commands
from millrace.cluster import lifecycle, preflight
from millrace.cluster.preflight import Problem
from millrace.cluster.states import ProcessState
from millrace.cluster.supervisor import Supervisor
from millrace.errors import MillraceError
from millrace.settings import Settings

GOLDEN = Path(__file__).parents[2] / "golden" / "errors"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "state", port_offset=20_000)


def expect(golden: str, problem: Problem | MillraceError, **places: object) -> None:
    """The words of a problem, with the places that differ from run to run replaced."""
    if isinstance(problem, Problem):
        problem = MillraceError(problem.thing, problem.cause, problem.remedy)
    said = f"error: {problem}\n"
    for name, value in places.items():
        said = said.replace(str(value), f"<{name}>")
    assert said == (GOLDEN / f"{golden}.txt").read_text()


@pytest.fixture
def held_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield int(other.getsockname()[1])


def test_a_port_in_use(settings: Settings, held_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.trino.port = held_port
    monkeypatch.setattr("millrace.cluster.ports._listeners", lambda: {held_port: 1})
    monkeypatch.setattr("millrace.cluster.ports._name", lambda _: "java")
    (problem,) = preflight.check_ports(settings, ["trino"])
    expect("cluster_port_in_use", problem, port=held_port)


def test_too_little_memory(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = namedtuple("memory", "available")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory(1 << 30))
    (problem,) = preflight.check_memory(settings, [])
    expect("cluster_memory", problem)


def test_a_full_disk(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.home.mkdir()
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1 << 30))
    (problem,) = preflight.check_disk(settings, [])
    expect("cluster_disk_full", problem, folder=settings.home)


@pytest.mark.parametrize("name", ["my state", "a:b", "a,b", "a\tb"])
def test_a_folder_that_hadoop_can_not_name(tmp_path: Path, name: str) -> None:
    settings = Settings(home=tmp_path / name)
    problem = next(preflight.problems(settings, []))
    assert problem.thing == "the state folder"
    if name == "my state":
        expect("cluster_home_with_a_space", problem, folder=tmp_path)


def test_a_repository_that_hadoop_can_not_name(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path / "my clone", home=tmp_path)
    (problem,) = preflight.check_folders(settings, [])
    assert problem.thing == "the repository"


def test_a_wrong_java(settings: Settings, tmp_path: Path) -> None:
    runtime = tmp_path / "jdk"
    (runtime / "bin").mkdir(parents=True)
    (runtime / "bin" / "java").write_text("#!/bin/sh\n")
    (runtime / "release").write_text('JAVA_VERSION="11.0.2"\n')
    settings.dist.mkdir(parents=True)
    (settings.dist / "java25").symlink_to(runtime)
    (problem,) = preflight.check_java(settings, [])
    expect("cluster_wrong_java", problem, folder=settings.home)


def test_a_missing_unit(settings: Settings) -> None:
    problem = next(preflight.check_units(settings, []))
    expect("cluster_missing_unit", problem, folder=settings.home)


def test_a_service_that_can_not_start(settings: Settings) -> None:
    log = settings.home / "logs" / "trino.log"
    log.parent.mkdir(parents=True)
    log.write_text("INFO starting\njava.lang.OutOfMemoryError: Java heap space\n")
    state = ProcessState("trino", "Restarting", "Not Ready", 3, 1, 0, True)
    expect("cluster_service", lifecycle._explain(settings, state, "could not be started"))


def test_a_cluster_that_is_not_running(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "load", lambda: settings)
    assert not Supervisor(settings).is_running()
    done = CliRunner().invoke(commands.status, [])
    assert isinstance(done.exception, MillraceError)
    expect("cluster_not_running", done.exception)


def test_the_log_of_an_unknown_service(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    (settings.home / "logs").mkdir(parents=True)
    (settings.home / "logs" / "kafka.log").touch()
    monkeypatch.setattr(commands, "load", lambda: settings)
    done = CliRunner().invoke(commands.logs, ["kafak"])
    assert isinstance(done.exception, MillraceError)
    expect("cluster_unknown_service", done.exception)
