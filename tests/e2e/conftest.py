"""Ways to look at the lake and at the cluster's services, shared by the end-to-end tests."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

import pytest
import requests

from millrace.cluster.docker.containers import Container, containers
from millrace.cluster.docker.engine import ask
from millrace.cluster.docker.project import Project, read_overlays
from millrace.settings import Settings

#: The command of a container is the first child of its init, and the only one that is older than
#: what it started itself.
MAIN_PROCESS = "grep -lsx 'PPid:.1' /proc/[0-9]*/status | cut -d/ -f3 | sort -n | head -n 1"
#: These serve no port: Airflow calls them healthy for half a minute after their last heartbeat.
HEARTBEATS = ("airflow-scheduler", "airflow-dag-processor", "airflow-triggerer")


class Services(Protocol):
    """The services of a cluster, natively processes and in Docker containers."""

    def identity(self, name: str) -> str:
        """Another one for each start of the service."""

    def is_healthy(self, name: str) -> bool:
        """As `millrace status` says."""

    def has_beaten_since(self, name: str, moment: datetime) -> bool:
        """Whether a part of Airflow that only tells a heartbeat has told one since."""

    def kill(self, name: str) -> None:
        """End its main process at once, as the machine's memory killer would."""


class Processes:
    """Native services, by what `millrace status` says of them."""

    def __init__(self, millrace: Any, settings: Settings) -> None:
        self.millrace = millrace
        self.settings = settings

    def _entry(self, name: str) -> dict[str, Any]:
        printed = self.millrace("status", "--json", expect=None).stdout
        services = json.loads(printed)["services"]
        found: dict[str, Any] = next(entry for entry in services if entry["name"] == name)
        return found

    def identity(self, name: str) -> str:
        return str(self._entry(name)["pid"])

    def is_healthy(self, name: str) -> bool:
        return bool(self._entry(name)["health"] == "healthy")

    def has_beaten_since(self, name: str, moment: datetime) -> bool:
        part = name.removeprefix("airflow-").replace("-", "_")
        if name not in HEARTBEATS:
            return True
        url = f"{self.settings.airflow.url}/api/v2/monitor/health"
        told = requests.get(url, timeout=30).json()[part][f"latest_{part}_heartbeat"]
        return bool(told and datetime.fromisoformat(told) > moment)

    def kill(self, name: str) -> None:
        os.kill(self._entry(name)["pid"], signal.SIGKILL)


class Containers(Processes):
    """Services in containers. `docker kill` is taken for a wish to stop: it kills from inside."""

    def __init__(self, millrace: Any, settings: Settings) -> None:
        super().__init__(millrace, settings)
        self.project = Project(settings, read_overlays(settings.home)).name

    def _container(self, name: str) -> Container:
        return containers(self.project)[name]

    def identity(self, name: str) -> str:
        return str(self._container(name).document["State"]["StartedAt"])

    def kill(self, name: str) -> None:
        ask("exec", self._container(name).id, "bash", "-c", f"kill -KILL $({MAIN_PROCESS})")


@pytest.fixture(scope="session")
def services(cluster: Settings, millrace: Any) -> Services:
    """The cluster's services, in either runtime."""
    if os.environ.get("RUNTIME") == "docker":
        return Containers(millrace, cluster)
    return Processes(millrace, cluster)


@pytest.fixture(scope="session")
def landing_application(cluster: Settings) -> Callable[[], dict[str, Any]]:
    """The running landing application, as the ResourceManager describes it."""

    def find() -> dict[str, Any]:
        answer = requests.get(
            f"{cluster.resourcemanager.web_url}/ws/v1/cluster/apps",
            params={"states": "RUNNING,ACCEPTED", "applicationTags": "millrace-landing"},
            timeout=30,
        ).json()
        applications = (answer["apps"] or {}).get("app", [])
        assert len(applications) == 1, f"one landing application, not {len(applications)}"
        application: dict[str, Any] = applications[0]
        return application

    return find
