"""The state of every container as the same table as natively, YARN's applications included."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from millrace.cluster.docker.containers import Container, memory_mib
from millrace.cluster.docker.engine import call
from millrace.cluster.states import health
from millrace.cluster.status import ApplicationStatus, ClusterStatus, ServiceStatus

_YARN_NODE = "nodemanager"
_KIB_IN_MIB = 1024
_CONTAINER = re.compile(r"container_(?:e\d+_)?(\d+_\d+)_\d+_\d+")
_COLUMNS = 4


@dataclass(frozen=True)
class _Process:
    """One line of `docker top`."""

    parent: int
    rss_kib: int
    command: str


def read_status(found: Mapping[str, Container]) -> ClusterStatus:
    """Read it now; a project without containers has no services."""
    memory = memory_mib(found.values())
    node = found.get(_YARN_NODE)
    applications = tuple(_applications(node, memory)) if node and node.is_running else ()
    services = []
    for name, container in found.items():
        state = container.state()
        used = memory.get(container.id, 0)
        if name == _YARN_NODE:
            used -= sum(each.rss_mb for each in applications)
        services.append(
            ServiceStatus(
                name=name,
                state=state.status.lower(),
                health=health(state, answers=not container.is_unhealthy),
                pid=state.pid,
                rss_mb=used,
                restarts=state.restarts,
                ports=container.ports,
            )
        )
    return ClusterStatus(tuple(services), applications)


def _applications(node: Container, memory: Mapping[str, int]) -> Iterator[ApplicationStatus]:
    """What runs in the NodeManager's container beside the NodeManager.

    The engine tells the memory of the whole container, the processes only their resident sets,
    which count shared pages each time: the whole is shared out by them.
    """
    processes = _processes(node)
    own: dict[str, int] = {}
    names: dict[str, set[str]] = {}
    whole = max(sum(each.rss_kib for each in processes.values()), 1)
    for pid, process in processes.items():
        if yarn := _container_of(pid, processes):
            application = f"application_{yarn[1]}"
            own[application] = own.get(application, 0) + process.rss_kib
            names.setdefault(application, set()).add(yarn[0])
    total = min(memory.get(node.id, 0), whole // _KIB_IN_MIB)
    for application, rss in sorted(own.items()):
        yield ApplicationStatus(application, len(names[application]), total * rss // whole)


def _processes(container: Container) -> dict[int, _Process]:
    done = call("top", container.id, "-eo", "pid,ppid,rss,args")
    found = {}
    for line in done.stdout.decode(errors="replace").splitlines()[1:]:
        words = line.split(None, _COLUMNS - 1)
        if len(words) == _COLUMNS:
            pid, parent, rss = map(int, words[:3])
            found[pid] = _Process(parent, rss, words[3])
    return found


def _container_of(pid: int, processes: Mapping[int, _Process]) -> re.Match[str] | None:
    """YARN's name of the container that a process belongs to, by its own or an ancestor's words."""
    while process := processes.get(pid):
        if named := _CONTAINER.search(process.command):
            return named
        pid = process.parent
    return None
