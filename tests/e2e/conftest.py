"""Ways to look at the lake and at the cluster's services, shared by the end-to-end tests."""

from __future__ import annotations

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
from millrace.cluster.health import ask as ask_probes
from millrace.cluster.states import ProcessState, health
from millrace.cluster.supervisor import Supervisor
from millrace.orchestration.client import Airflow
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
        """As `millrace status` says, which asks all of them: too much work to repeat in a wait."""

    def has_beaten_since(self, name: str, moment: datetime) -> bool:
        """Whether a part of Airflow that only tells a heartbeat has told one since."""

    def kill(self, name: str) -> None:
        """End its main process at once, as the machine's memory killer would."""


class Processes:
    """Native services, by their supervisor and their own probes."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def _state(self, name: str) -> ProcessState:
        return Supervisor(self.settings).processes()[name]

    def identity(self, name: str) -> str:
        return str(self._state(name).pid)

    def is_healthy(self, name: str) -> bool:
        return health(self._state(name)) == "healthy" and ask_probes(self.settings, [name])[name]

    def has_beaten_since(self, name: str, moment: datetime) -> bool:
        part = name.removeprefix("airflow-").replace("-", "_")
        if name not in HEARTBEATS:
            return True
        url = f"{self.settings.airflow.url}/api/v2/monitor/health"
        told = requests.get(url, timeout=30).json()[part][f"latest_{part}_heartbeat"]
        return bool(told and datetime.fromisoformat(told) > moment)

    def kill(self, name: str) -> None:
        os.kill(self._state(name).pid, signal.SIGKILL)


class Containers(Processes):
    """Services in containers. `docker kill` is taken for a wish to stop: it kills from inside."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.project = Project(settings, read_overlays(settings.home)).name

    def _container(self, name: str) -> Container:
        return containers(self.project)[name]

    def _state(self, name: str) -> ProcessState:
        return self._container(name).state()

    def is_healthy(self, name: str) -> bool:
        return health(self._state(name)) == "healthy"

    def identity(self, name: str) -> str:
        return str(self._container(name).document["State"]["StartedAt"])

    def kill(self, name: str) -> None:
        ask("exec", self._container(name).id, "bash", "-c", f"kill -KILL $({MAIN_PROCESS})")


@pytest.fixture(scope="module", autouse=True)
def nothing_scheduled(cluster: Settings) -> None:
    """Hold the DAG that `make demo` starts: every five minutes it takes part of what is timed."""
    Airflow(cluster)._call("PATCH", "dags/lake_landing", {"is_paused": True})


@pytest.fixture(scope="session")
def services(cluster: Settings) -> Services:
    """The cluster's services, in either runtime."""
    if os.environ.get("RUNTIME") == "docker":
        return Containers(cluster)
    return Processes(cluster)


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
