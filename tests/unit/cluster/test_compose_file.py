"""What every container of ours must have, in the compose file and in the overlays."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from millrace.cluster.compose import interpolate, is_one_shot, read_compose
from millrace.cluster.process_file import process_file, seconds
from millrace.cluster.tiers import tier_environment
from millrace.environment import cluster_environment
from millrace.errors import MillraceError
from millrace.settings import ROOT, Settings

CORE = ROOT / "docker-compose.yml"
OVERLAYS = sorted((ROOT / "docker").glob("compose.*.yml"))
FILES = [CORE, *OVERLAYS]
#: The overlays that take images from elsewhere, of which we may not say that the root is read-only.
FOREIGN = {"compose.impala.yml", "compose.starburst.yml"}
SECRET = re.compile(r"(PASSWORD|SECRET_KEY|ACCESS_KEY|_TOKEN|FERNET|JWT)")


class _Loader(yaml.SafeLoader):
    """YAML with the two tags that Compose knows besides."""


def _plain(loader: _Loader, tag: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return None


_Loader.add_multi_constructor("!", _plain)


def services(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The services of a file as the file alone describes them."""
    document = yaml.load(file.read_text(), _Loader)  # noqa: S506 - a safe loader
    yield from interpolate(document, {})["services"].items()


def new_services(file: Path) -> list[tuple[str, dict[str, Any]]]:
    """The services that a file adds: an overlay changes others, which keep what they have."""
    known = set() if file == CORE else {name for name, _ in services(CORE)}
    return [(name, service) for name, service in services(file) if name not in known]


def lasting(file: Path) -> list[tuple[str, dict[str, Any]]]:
    return [(name, service) for name, service in new_services(file) if not is_one_shot(service)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_nothing_is_published_outside_this_host(file: Path) -> None:
    for name, service in services(file):
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), f"{name} {port}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_container_is_bounded_and_has_no_privilege(file: Path) -> None:
    for name, service in new_services(file):
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert service["mem_limit"], name
        assert service["pids_limit"], name
        assert service["init"] is True, name
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name
        assert not service.keys() & {"privileged", "cap_add", "devices", "userns_mode"}, name
        assert service.get("user", "10001:10001") == "10001:10001", name
        if file.name not in FOREIGN:
            assert service["read_only"] is True, name


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_lasting_container_is_asked_and_started_again(file: Path) -> None:
    for name, service in lasting(file):
        check = service["healthcheck"]
        assert "scripts/probe" in " ".join(check["test"]), name
        # `up --wait` gives up on a container that is unhealthy: a cold start takes a minute.
        assert seconds(check["start_period"]) >= 60, name
        assert service["restart"] == "unless-stopped", name
        assert seconds(service["stop_grace_period"]) >= 20, name


def test_somebody_waits_for_every_one_shot() -> None:
    """`up --wait` fails on a one-shot that ends while nobody depends on its end."""
    known = dict(services(CORE))
    awaited = {
        other
        for service in known.values()
        if "profiles" not in service
        for other, dependency in service.get("depends_on", {}).items()
        if dependency["condition"] == "service_completed_successfully"
    }
    assert awaited == {name for name, service in known.items() if is_one_shot(service)}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_secret_has_a_default(file: Path) -> None:
    for name, service in services(file):
        for key, value in service.get("environment", {}).items():
            if SECRET.search(key):
                assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), f"{name} {key}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_image_is_the_latest(file: Path) -> None:
    for name, service in services(file):
        if image := service.get("image"):
            _, _, tag = image.rpartition(":")
            assert tag, f"{name} {image}"
            assert not tag.startswith("latest"), f"{name} {image}"


def test_each_image_is_built_by_one_service_and_pulled_by_none() -> None:
    built = [service["image"] for _, service in services(CORE) if "build" in service]
    assert sorted(set(built)) == sorted(built)
    for name, service in services(CORE):
        assert service["image"] in built, name
        assert service["pull_policy"] == "never", name
    for _, service in services(CORE):
        if "build" in service:
            target = service["build"]["target"]
            assert service["image"] == f"millrace/{target}:dev"


def test_every_volume_says_its_layout() -> None:
    for file in (CORE, ROOT / "docker" / "compose.mysql.yml"):
        volumes = yaml.safe_load(file.read_text())["volumes"]
        assert {volume["labels"]["dev.millrace.layout"] for volume in volumes.values()} == {"1"}


def test_what_the_clone_lends_a_container_is_read_only() -> None:
    for name, service in services(CORE):
        for volume in service.get("volumes", []):
            source, _, rest = volume.partition(":")
            if source.startswith(("./", "/")):
                assert rest.endswith(":ro"), f"{name} {volume}"


def test_no_address_of_the_native_runtime_can_reach_a_container() -> None:
    """Ports and sizes of the caller's environment do; hosts and folders may not."""
    native = {"MILLRACE_HOME": "/leak", "MILLRACE_DIST": "/leak", "MILLRACE_BIND": "leak"}
    native |= dict.fromkeys(re.findall(r"MILLRACE_\w+__HOST", CORE.read_text()), "leak.example")
    document = read_compose(CORE, native)
    assert "leak" not in str(document["services"])


@pytest.mark.parametrize("offset", [0, 1000, 13_000, 20_000, 40_000])
def test_no_listener_of_kafka_meets_another_whatever_the_offset(offset: int) -> None:
    variables = cluster_environment(Settings(port_offset=offset))
    listeners = read_compose(CORE, variables)["services"]["kafka"]["environment"][
        "MILLRACE_KAFKA__LISTENERS"
    ].split(",")
    assert len({listener.rpartition(":")[2] for listener in listeners}) == len(listeners)


def test_the_limits_are_those_of_the_small_tier() -> None:
    small = tier_environment(ROOT / "config", "small", {})
    large = tier_environment(ROOT / "config", "standard", {})
    for name, service in services(CORE):
        variables = {key for key, size in small.items() if key.endswith("LIMIT")}
        assert service["mem_limit"] in {small[key] for key in variables} | {"256m"}, name
    text = CORE.read_text()
    for key in (key for key in small if key.endswith("LIMIT")):
        assert f"${{{key}:-{small[key]}}}" in text, key
        assert key in large


def test_a_profile_of_docker_alone_is_refused_natively(tmp_path: Path) -> None:
    variables = cluster_environment(Settings(home=tmp_path))
    with pytest.raises(MillraceError, match="runs in Docker only") as refused:
        process_file(read_compose(CORE, variables), variables, ["scale"])
    assert refused.value.remedy == "make up RUNTIME=docker PROFILE=scale"


def test_natively_a_start_has_the_same_grace(tmp_path: Path) -> None:
    variables = cluster_environment(Settings(home=tmp_path))
    compose = read_compose(CORE, variables)
    for name, process in process_file(compose, variables)["processes"].items():
        if probe := process.get("readiness_probe"):
            check = compose["services"][name]["healthcheck"]
            grace = seconds(check["start_period"]) + check["retries"] * seconds(check["interval"])
            assert probe["failure_threshold"] * probe["period_seconds"] == grace, name


@pytest.mark.parametrize("file", [f for f in OVERLAYS if f.name in FOREIGN], ids=lambda f: f.name)
def test_an_overlay_that_was_not_run_says_so_and_asks_for_what_it_needs(file: Path) -> None:
    text = file.read_text()
    assert text.startswith("# NOT RUN HERE")
    assert re.search(r"\$\{MILLRACE_\w+:\?[^}]+\}", text)
