"""The state of every service: health, pid, memory with its children, ports, restarts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import psutil

from millrace.cluster.health import ask
from millrace.cluster.ports import ports_of
from millrace.cluster.states import health
from millrace.cluster.strays import Member, members
from millrace.cluster.supervisor import Supervisor
from millrace.settings import Settings

_MIB = 2**20


@dataclass(frozen=True)
class ServiceStatus:
    """One service. Memory is the proportional share of its processes: shared pages count once."""

    name: str
    state: str
    health: str
    pid: int
    rss_mb: int
    restarts: int
    ports: tuple[int, ...]


@dataclass(frozen=True)
class ApplicationStatus:
    """One YARN application: its containers on this node and their memory."""

    application: str
    containers: int
    rss_mb: int


@dataclass(frozen=True)
class ClusterStatus:
    """The whole cluster."""

    services: tuple[ServiceStatus, ...]
    applications: tuple[ApplicationStatus, ...]

    @property
    def is_healthy(self) -> bool:
        """Whether there is a cluster and every service of it is healthy."""
        return bool(self.services) and all(
            service.health in ("healthy", "done") for service in self.services
        )

    @property
    def rss_mb(self) -> int:
        """Memory of everything."""
        of_services = sum(service.rss_mb for service in self.services)
        return of_services + sum(part.rss_mb for part in self.applications)

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {**asdict(self), "healthy": self.is_healthy, "rss_mb": self.rss_mb}


def status(settings: Settings) -> ClusterStatus:
    """Read it now; a cluster that is not running has no services."""
    states = Supervisor(settings).processes()
    answers = ask(settings, states)
    found = members(settings.home)
    ports = defaultdict(list)
    for port in ports_of(settings, states):
        ports[port.service].append(port.number)
    services = tuple(
        ServiceStatus(
            name=name,
            state=state.status.lower(),
            health=health(state, answers.get(name, True)),
            pid=state.pid,
            rss_mb=_memory_of_tree(state.pid) if state.pid else 0,
            restarts=state.restarts,
            ports=tuple(ports[name]),
        )
        for name, state in states.items()
    )
    return ClusterStatus(services, tuple(_applications(found)))


def _memory_of_tree(pid: int) -> int:
    """A service with its children, without the YARN containers that a NodeManager starts."""
    try:
        root = psutil.Process(pid)
        processes = [root, *root.children(recursive=True)]
    except psutil.Error:
        return 0
    return sum(_memory(process) for process in processes if not _is_container(process))


def _is_container(process: psutil.Process) -> bool:
    try:
        return "CONTAINER_ID" in process.environ()
    except psutil.Error:
        return False


def _memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss) // _MIB
    except psutil.AccessDenied:
        return int(process.memory_info().rss) // _MIB
    except psutil.Error:
        return 0


def _applications(found: Iterable[Member]) -> Iterable[ApplicationStatus]:
    grouped = defaultdict(list)
    for member in found:
        if member.container:
            grouped[member.application].append(member)
    for application, group in sorted(grouped.items()):
        containers = {member.container for member in group}
        memory = sum(_memory(member.process) for member in group)
        yield ApplicationStatus(application, len(containers), memory)
