"""Each check names the thing, the cause and the remedy."""

from __future__ import annotations

import os
import shutil
import socket
from collections import namedtuple
from pathlib import Path

import psutil
import pytest

from millrace.cluster import preflight
from millrace.cluster.ports import held, ports_of
from millrace.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "state", port_offset=20_000)


def test_a_port_that_is_held_is_named_with_its_process(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        number = other.getsockname()[1]
        settings.trino.port = number
        (problem,) = preflight.check_ports(settings, ["trino"])
    assert problem.thing == f"port {number} of trino"
    assert f"(pid {os.getpid()})" in problem.cause
    assert "MILLRACE_TRINO__PORT" in problem.remedy


def test_free_ports_are_no_problem(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        number = other.getsockname()[1]
    settings.trino.port = number
    assert list(held(ports_of(settings, ["trino"]))) == []


def test_only_the_ports_of_the_services_that_start_are_checked(settings: Settings) -> None:
    assert {port.service for port in ports_of(settings, ["kafka", "airflow-apiserver"])} == {
        "kafka",
        "airflow-apiserver",
    }
    assert [port.number for port in ports_of(settings, ["airflow-apiserver"])] == [28080]


def test_a_missing_unit_is_named(settings: Settings) -> None:
    things = {problem.thing for problem in preflight.check_units(settings, [])}
    assert things == {f"unit {unit}" for unit in preflight.UNITS}


def test_a_java_of_another_version_is_named(settings: Settings, tmp_path: Path) -> None:
    java = tmp_path / "jdk"
    (java / "bin").mkdir(parents=True)
    (java / "bin" / "java").write_text("#!/bin/sh\n")
    (java / "release").write_text('JAVA_VERSION="11.0.2"\n')
    settings.dist.mkdir(parents=True)
    (settings.dist / "java17").symlink_to(java)
    (problem,) = preflight.check_java(settings, [])
    assert "is Java 11, not Java 17" in problem.cause


def test_too_little_memory_is_fatal_and_little_is_a_warning(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = namedtuple("memory", "available")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory(1 << 30))
    (problem,) = preflight.check_memory(settings, [])
    assert not problem.is_warning
    assert "1024 MiB are available" in problem.cause
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory(5 << 30))
    (problem,) = preflight.check_memory(settings, [])
    assert problem.is_warning


def test_a_full_disk_is_fatal(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1 << 30))
    (problem,) = preflight.check_disk(settings, [])
    assert "1.0 GiB are free" in problem.cause
