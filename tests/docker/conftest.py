"""What the Docker tests share: the project of the test cluster, its containers, plain Compose."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from millrace.cluster.docker.containers import Container, containers
from millrace.cluster.docker.project import PROFILES, Project, read_overlays
from millrace.cluster.docker.runtime import DockerRuntime
from millrace.settings import Settings, load
from tests.docker.small import NAME, Clone

Compose = Callable[..., str]
Running = Callable[[], dict[str, Container]]
COMPOSE_SECONDS = 600


@pytest.fixture(scope="session")
def project() -> Project:
    """The Compose project of the test cluster, which need not run."""
    settings = load()
    return Project(settings, read_overlays(settings.home))


@pytest.fixture(scope="session")
def images(project: Project) -> list[str]:
    """Every image that the repository builds for the core and its profiles."""
    services = project.config(PROFILES)["services"].values()
    return sorted({service["image"] for service in services if "build" in service})


@pytest.fixture(scope="session")
def running(cluster: Settings, project: Project) -> Running:
    """The containers of the services that stay, by service."""

    def look() -> dict[str, Container]:
        found = containers(project.name)
        return {name: each for name, each in found.items() if each.is_running}

    return look


@pytest.fixture(scope="session")
def compose(project: Project) -> Compose:
    """`docker compose ARGUMENTS...`, without our command line."""

    def run(*arguments: str) -> str:
        done = subprocess.run(
            project.command(*arguments),
            env=project.environment(),
            cwd=project.settings.root,
            check=False,
            capture_output=True,
            text=True,
            timeout=COMPOSE_SECONDS,
        )
        assert done.returncode == 0, f"docker compose {' '.join(arguments)}\n{done.stderr[-5000:]}"
        return done.stdout

    return run


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clone]:
    """A clone whose cluster is three small containers, removed at the end."""
    monkeypatch.setenv("RUNTIME", "docker")
    made = Clone(tmp_path / "clone", NAME)
    yield made
    made.write()
    DockerRuntime(made.settings()).project.take_down("--volumes")
