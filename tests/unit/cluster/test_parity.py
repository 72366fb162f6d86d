"""The two runtimes run the same services: they differ in what docs/reference/runtimes.md lists.

Docker's side is the compose file with its defaults; the native side is the process file derived
from it. Every difference gets a name, such as `environment MILLRACE_HOME`; the table holds the
allowed names, with `*` for any characters.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from millrace.cluster.compose import is_one_shot, read_compose
from millrace.cluster.process_file import probe_command, process_file, seconds
from millrace.environment import cluster_environment
from millrace.settings import ROOT, Settings

Service = Mapping[str, Any]
Services = dict[str, dict[str, Any]]

#: What the process file can express; it is compared below. The rest is a matter of containers.
COMPARED = {"command", "environment", "healthcheck", "depends_on", "restart", "stop_signal"}
COMPARED |= {"stop_grace_period", "profiles", "x-millrace"}
CONDITIONS = {
    "service_started": "process_started",
    "service_healthy": "process_healthy",
    "service_completed_successfully": "process_completed_successfully",
}
#: component -> its service, where they are not of one name
SERVICE_OF = {"airflow": "airflow-apiserver", "history": "history-server"}


@pytest.fixture
def docker() -> Services:
    services = read_compose(ROOT / "docker-compose.yml", {})["services"]
    assert isinstance(services, dict)
    return services


@pytest.fixture
def native(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Services:
    # Settings of whoever runs the tests are no difference between the runtimes.
    for name in [name for name in os.environ if name.startswith("MILLRACE_")]:
        monkeypatch.delenv(name)
    variables = cluster_environment(Settings(home=tmp_path / "state", port_offset=0))
    compose = read_compose(ROOT / "docker-compose.yml", variables)
    processes = process_file(compose, variables, ["history"])["processes"]
    assert isinstance(processes, dict)
    return processes


def table() -> list[tuple[str, str, str]]:
    """The rows: name, in Docker, natively."""
    document = (ROOT / "docs" / "reference" / "runtimes.md").read_text()
    section = document.split("\n## What differs\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `([^`]+)` \| (.*?) \| (.*?) \|", section, re.MULTILINE)


def allowed() -> list[str]:
    """The names in the table, in its order."""
    return [name for name, _, _ in table()]


def literal(cell: str, home: str) -> str | None:
    """The value that a cell gives, where it gives one."""
    if cell == "*empty*":
        return ""
    if found := re.fullmatch(r"`([^`]*)`", cell):
        # Natively the state folder and the clone stand for wherever they are.
        path = re.fullmatch(r"\.millrace(.*)|(config|contracts)", found[1])
        return found[1] if not path else home + path[1] if path[2] is None else f"{ROOT}/{path[2]}"
    return None


def differences(docker: Services, native: Services) -> dict[str, set[str]]:
    """Name of a difference to the services that have it."""
    found: dict[str, set[str]] = {}
    for name in docker.keys() | native.keys():
        if name in docker and name in native:
            for difference in between(docker[name], native[name]):
                found.setdefault(difference, set()).add(name)
        else:
            found[f"service {name}"] = {name}
    return found


def between(service: Service, process: Service) -> Iterator[str]:
    if process["command"] != f"exec {shlex.join(service['command'])}":
        yield "command"
    yield from environments(service, process)
    yield from health_checks(service.get("healthcheck"), process.get("readiness_probe"))
    wanted = {
        name: {"condition": CONDITIONS[dependency["condition"]]}
        for name, dependency in service.get("depends_on", {}).items()
    }
    if wanted != process["depends_on"]:
        yield "dependencies"
    yield from lives(service, process)
    yield from (f"key {key}" for key in service.keys() - COMPARED)


def environments(service: Service, process: Service) -> Iterator[str]:
    there = {key: str(value) for key, value in service["environment"].items()}
    here = dict(line.split("=", 1) for line in process["environment"])
    for key, value in there.items():
        if here.get(key) != value:
            yield f"environment {key}"
    yield from (f"native environment {key}" for key in here.keys() - there.keys())


def health_checks(check: Service | None, probe: Service | None) -> Iterator[str]:
    if check is None or probe is None:
        if check is not probe:
            yield "health check"
        return
    if probe["exec"]["command"] != probe_command(check):
        yield "health check command"
    if probe["period_seconds"] != seconds(check["interval"]):
        yield "health check interval"
    if probe["timeout_seconds"] != seconds(check["timeout"]):
        yield "health check timeout"
    if probe["failure_threshold"] != check["retries"]:
        yield "health check threshold"


def lives(service: Service, process: Service) -> Iterator[str]:
    """How a service is started again, and how it is stopped."""
    again = process["availability"]
    if is_one_shot(service):
        if service["restart"] != f"on-failure:{again['max_restarts']}":
            yield "restart of a one-shot"
    elif again["restart"] != service["restart"]:
        yield "restart"
    shutdown = process["shutdown"]
    if shutdown["signal"] != signal.Signals[service.get("stop_signal", "SIGTERM")]:
        yield "stop signal"
    if shutdown["timeout_seconds"] != seconds(service.get("stop_grace_period", "10s")):
        yield "stop grace period"


def test_the_runtimes_differ_in_nothing_that_is_not_listed(
    docker: Services, native: Services
) -> None:
    names = allowed()
    unlisted = {
        difference: services
        for difference, services in differences(docker, native).items()
        if not any(fnmatchcase(difference, name) for name in names)
    }
    assert not unlisted


def test_each_listed_difference_is_there(docker: Services, native: Services) -> None:
    found = differences(docker, native)
    stale = [name for name in allowed() if not any(fnmatchcase(one, name) for one in found)]
    assert not stale


def test_no_difference_is_listed_twice() -> None:
    names = allowed()
    assert len(names) == len(set(names)) > 0


def test_a_service_of_one_runtime_alone_is_found(docker: Services, native: Services) -> None:
    del native["kafka"]
    assert differences(docker, native)["service kafka"] == {"kafka"}


def test_a_changed_value_is_found(docker: Services, native: Services) -> None:
    docker["trino"]["environment"]["MILLRACE_TRINO__HEAP"] = "1g"
    docker["trino"]["healthcheck"]["test"] = ["CMD", "true"]
    docker["trino"]["depends_on"] = {}
    found = differences(docker, native)
    for difference in ("environment MILLRACE_TRINO__HEAP", "health check command", "dependencies"):
        assert "trino" in found[difference]


def test_the_values_in_the_table_are_those_of_the_services(
    docker: Services, native: Services, tmp_path: Path
) -> None:
    wrong = []
    for name, there, here in table():
        kind, _, key = name.partition("environment ")
        if "*" in key or not key:
            continue
        for service in docker.keys() & native.keys():
            sides = [(here, dict(line.split("=", 1) for line in native[service]["environment"]))]
            if not kind:
                sides.append((there, docker[service]["environment"]))
            for cell, environment in sides:
                value = literal(cell, str(tmp_path / "state"))
                # A listener is set for its own service alone.
                if value is not None and key in environment and environment[key] != value:
                    wrong.append(f"{service} {key}: {environment[key]}")
    assert not wrong


def wrong_hosts(docker: Services) -> list[str]:
    """The addresses in Docker that are no service's, or another one's."""
    return [
        f"{service} {key}={value}"
        for service, description in docker.items()
        for key, value in description["environment"].items()
        if (found := re.fullmatch(r"MILLRACE_(\w+)__HOST", key))
        and not (value in docker and value == SERVICE_OF.get(found[1].lower(), found[1].lower()))
    ]


def test_every_host_in_docker_is_the_service_of_that_name(docker: Services) -> None:
    assert not wrong_hosts(docker)


def test_a_wrong_host_is_found(docker: Services) -> None:
    docker["trino"]["environment"]["MILLRACE_KAFKA__HOST"] = "nowhere.example"
    assert wrong_hosts(docker) == ["trino MILLRACE_KAFKA__HOST=nowhere.example"]


def test_profiles_are_those_of_both_runtimes(docker: Services, tmp_path: Path) -> None:
    variables = cluster_environment(Settings(home=tmp_path))
    compose = read_compose(ROOT / "docker-compose.yml", variables)
    for profiles in ([], ["history"]):
        wanted = {
            name
            for name, service in docker.items()
            if set(service.get("profiles", profiles)) <= set(profiles)
        }
        assert set(process_file(compose, variables, profiles)["processes"]) == wanted
