"""The containers of a project: found by Compose's labels, read by the engine's `inspect`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from millrace.cluster.docker.engine import ask, call
from millrace.cluster.states import ProcessState

_LABEL = "com.docker.compose"
_MIB = 2**20
_UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


@dataclass(frozen=True)
class Container:
    """One container as `inspect` describes it."""

    document: Mapping[str, Any]

    @property
    def id(self) -> str:
        """Its whole id."""
        return str(self.document["Id"])

    @property
    def service(self) -> str:
        """The service of the compose file."""
        return str(self.document["Config"]["Labels"][f"{_LABEL}.service"])

    @property
    def working_folder(self) -> str:
        """The clone whose compose file it was started from."""
        labels = self.document["Config"]["Labels"]
        return str(labels.get(f"{_LABEL}.project.working_dir", ""))

    @property
    def is_running(self) -> bool:
        """Whether it has a process."""
        return bool(self.document["State"]["Running"])

    @property
    def was_out_of_memory(self) -> bool:
        """Whether the kernel ended it at its memory limit."""
        return bool(self.document["State"].get("OOMKilled"))

    @property
    def is_unhealthy(self) -> bool:
        """Whether the engine has given up on its health."""
        return bool(self.document["State"].get("Health", {}).get("Status") == "unhealthy")

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports it publishes on the host."""
        bindings = self.document["HostConfig"].get("PortBindings") or {}
        return tuple(
            sorted({int(each["HostPort"]) for host in bindings.values() for each in host or ()})
        )

    def state(self) -> ProcessState:
        """The same words as of a native process."""
        state = self.document["State"]
        has_probe = bool(self.document["Config"].get("Healthcheck", {}).get("Test"))
        word = str(state.get("Health", {}).get("Status", ""))
        return ProcessState(
            name=self.service,
            status=_status(state["Status"]),
            health={"healthy": "Ready", "unhealthy": "Unhealthy"}.get(word, "Not Ready"),
            restarts=int(self.document.get("RestartCount", 0)),
            exit_code=int(state["ExitCode"]),
            pid=int(state["Pid"]) if state["Running"] else 0,
            has_probe=has_probe,
        )


def _status(word: str) -> str:
    return {
        "created": "Pending",
        "running": "Running",
        "restarting": "Restarting",
        "exited": "Completed",
    }.get(word, "Error")


def containers(project: str) -> dict[str, Container]:
    """Every container of a project by its service, sorted; none where the project is down."""
    found = ask(
        *("ps", "--all", "--quiet", "--no-trunc"),
        *("--filter", f"label={_LABEL}.project={project}"),
        *("--filter", f"label={_LABEL}.oneoff=False"),
    ).split()
    inspected = (Container(document) for document in _inspect(found))
    return {each.service: each for each in sorted(inspected, key=lambda each: each.service)}


def _inspect(ids: list[str]) -> Iterable[Mapping[str, Any]]:
    """A container that is removed meanwhile is left out."""
    if not ids:
        return []
    done = call("container", "inspect", *ids)
    documents: list[Mapping[str, Any]] = json.loads(done.stdout or b"[]")
    return documents


def states(found: Mapping[str, Container], expected: Iterable[str]) -> dict[str, ProcessState]:
    """The state of every service; one that has no container yet is waiting."""
    waiting = {
        name: ProcessState(name, "Pending", "-", 0, 0, 0, has_probe=False)
        for name in expected
        if name not in found
    }
    seen = {name: each.state() for name, each in found.items()}
    return dict(sorted((waiting | seen).items()))


def memory_mib(found: Iterable[Container]) -> dict[str, int]:
    """MiB of each running container's processes, by id; the page cache is left out."""
    ids = [each.id for each in found if each.is_running]
    if not ids:
        return {}
    printed = ask("stats", "--no-stream", "--no-trunc", "--format", "{{json .}}", *ids)
    rows = (json.loads(line) for line in printed.splitlines() if line.strip())
    return {row["ID"]: bytes_of(row["MemUsage"].partition("/")[0]) // _MIB for row in rows}


def bytes_of(size: str) -> int:
    """The number of bytes that `docker stats` writes as `1.5GiB`."""
    found = re.match(r"\s*([\d.]+)\s*([KMGT]?i?B)", size)
    return int(float(found[1]) * _UNITS.get(found[2], 1)) if found else 0


def last_lines(container: Container, count: int) -> list[str]:
    """The end of what a container printed, on either stream."""
    done = call("logs", "--tail", str(count * 3), container.id, timeout=30)
    text = (done.stdout + done.stderr).decode(errors="replace")
    return [line for line in text.splitlines() if line.strip()][-count:]
