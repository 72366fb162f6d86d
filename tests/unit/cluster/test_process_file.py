"""The process file says what the compose file says: neither runtime has a service of its own."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from millrace.cluster.compose import active_services, interpolate, is_one_shot, read_compose
from millrace.cluster.process_file import process_file, seconds
from millrace.environment import cluster_environment
from millrace.errors import MillraceError
from millrace.settings import ROOT, Settings

COMPOSE = ROOT / "docker-compose.yml"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "state", port_offset=1000)


@pytest.fixture
def compose(settings: Settings) -> dict[str, Any]:
    return read_compose(COMPOSE, cluster_environment(settings))


@pytest.fixture
def processes(compose: dict[str, Any], settings: Settings) -> dict[str, Any]:
    found = process_file(compose, cluster_environment(settings))["processes"]
    assert isinstance(found, dict)
    return found


def environment(process: dict[str, Any]) -> dict[str, str]:
    return dict(line.split("=", 1) for line in process["environment"])


def test_every_service_without_a_profile_is_a_process(
    compose: dict[str, Any], processes: dict[str, Any]
) -> None:
    without = {name for name, service in compose["services"].items() if "profiles" not in service}
    assert set(processes) == without
    assert "history-server" not in processes


def test_a_profile_adds_its_services(compose: dict[str, Any], settings: Settings) -> None:
    found = process_file(compose, cluster_environment(settings), ["history"])["processes"]
    assert "history-server" in found


def test_commands_probes_and_dependencies_are_those_of_the_compose_file(
    compose: dict[str, Any], processes: dict[str, Any]
) -> None:
    for name, service in active_services(compose).items():
        process = processes[name]
        assert process["command"] == "exec " + shlex.join(service["command"])
        assert set(process["depends_on"]) == set(service.get("depends_on", {}))
        assert ("readiness_probe" in process) == ("healthcheck" in service)
        if "healthcheck" in service and service["healthcheck"]["test"][0] == "CMD":
            words = shlex.split(process["readiness_probe"]["exec"]["command"])
            assert words == service["healthcheck"]["test"][1:]


def test_every_lasting_service_is_restarted_and_has_a_health_check(
    compose: dict[str, Any], processes: dict[str, Any]
) -> None:
    for name, service in active_services(compose).items():
        if is_one_shot(service):
            assert processes[name]["availability"]["restart"] == "on_failure"
        else:
            assert processes[name]["availability"]["restart"] == "always"
            assert "healthcheck" in service, name


def test_every_setting_of_the_compose_file_reaches_the_process(
    compose: dict[str, Any], processes: dict[str, Any]
) -> None:
    for name, service in active_services(compose).items():
        assert set(service["environment"]) <= set(environment(processes[name]))


def test_natively_every_host_is_this_one_and_every_port_is_moved(
    processes: dict[str, Any],
) -> None:
    for name, process in processes.items():
        found = environment(process)
        hosts = {value for key, value in found.items() if key.endswith("__HOST")}
        assert hosts == {"127.0.0.1"}, name
        assert found["MILLRACE_BIND"] == "127.0.0.1"
        assert found["MILLRACE_KAFKA__PORT"] == "10092"
    kafka = environment(processes["kafka"])
    assert kafka["MILLRACE_KAFKA__ADVERTISED_LISTENERS"] == "INTERNAL://127.0.0.1:10092"
    assert "127.0.0.1:10092" in processes["kafka"]["readiness_probe"]["exec"]["command"]


def test_docker_and_the_native_runtime_know_the_same_sizes(compose: dict[str, Any]) -> None:
    """The defaults in the compose file are those of the small tier."""
    bare = read_compose(COMPOSE, {})
    small = cluster_environment(Settings(tier="small"))
    for name, service in bare["services"].items():
        for key, value in service["environment"].items():
            if key.endswith(("__HEAP", "__MEMORY", "_MB", "__QUERY_MEMORY", "__HEADROOM")):
                assert str(value) == small[key], f"{name} {key}"


def test_published_ports_are_only_on_this_host() -> None:
    for name, service in read_compose(COMPOSE, {})["services"].items():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), name


def test_no_secret_stands_in_the_process_file(processes: dict[str, Any]) -> None:
    for process in processes.values():
        for key in environment(process):
            assert not key.endswith(("PASSWORD", "SECRET", "SECRET_KEY")), key


@pytest.mark.parametrize(
    ("text", "variables", "expected"),
    [
        ("${A:-1}", {}, "1"),
        ("${A:-1}", {"A": "2"}, "2"),
        ("${A}x", {"A": "2"}, "2x"),
        ("$${A}", {"A": "2"}, "${A}"),
        ("${A:-}", {}, ""),
        ("${A:-1}:${B:-2}", {"A": ""}, "1:2"),
    ],
)
def test_interpolation_is_that_of_compose(
    text: str, variables: dict[str, str], expected: str
) -> None:
    assert interpolate({"k": [text]}, variables) == {"k": [expected]}


def test_durations() -> None:
    assert seconds("10s") == 10
    assert seconds("1m30s") == 90


def test_a_file_that_is_no_compose_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "docker-compose.yml"
    file.write_text("services: [")
    with pytest.raises(MillraceError, match="can not be read"):
        read_compose(file, {})
    file.write_text("name: x")
    with pytest.raises(MillraceError, match="has no services"):
        read_compose(file, {})
