"""The native runtime: services as local processes under a supervisor."""

from __future__ import annotations

import subprocess
from collections.abc import Collection
from pathlib import Path

import click

from millrace.cluster import lifecycle
from millrace.cluster.causes import tail
from millrace.cluster.choice import NATIVE
from millrace.cluster.preflight import Problem, problems
from millrace.cluster.states import Watch
from millrace.cluster.status import ClusterStatus
from millrace.cluster.status import status as read_status
from millrace.cluster.supervisor import Supervisor
from millrace.errors import MillraceError
from millrace.settings import Settings


class NativeRuntime:
    """The cluster of one state folder as processes of this machine."""

    name = NATIVE

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def holdings(self) -> str:
        """Where the data is, for the question that `destroy` asks."""
        return f"below {self._settings.home}"

    def up(self, profiles: Collection[str], timeout: float, watch: Watch) -> list[str]:
        """Start what is missing and wait until all is healthy."""
        return lifecycle.up(self._settings, profiles, timeout, watch)

    def down(self) -> int:
        """Stop everything and leave no process; returns how many strays had to be ended."""
        return lifecycle.down(self._settings)

    def destroy(self) -> None:
        """Stop everything and delete the data."""
        lifecycle.destroy(self._settings)

    def status(self) -> ClusterStatus:
        """Read it now; a cluster that is not running has no services."""
        return read_status(self._settings)

    def is_running(self) -> bool:
        """Whether the supervisor answers."""
        return Supervisor(self._settings).is_running()

    def services(self, profiles: Collection[str] = ()) -> list[str]:
        """The services that `up` starts."""
        return lifecycle.service_names(self._settings, profiles)

    def problems(self) -> list[Problem]:
        """Everything that stands in the way of `up`."""
        is_running = self.is_running()
        return [
            problem
            for problem in problems(self._settings, self.services())
            # A running cluster holds its own ports and memory.
            if not (is_running and problem.thing.split()[0] in ("port", "memory"))
        ]

    def logs(self, service: str | None, follow: bool, lines: int) -> None:
        """Print the end of the logs, and go on with them where asked to."""
        files = self._log_files(service)
        if follow:
            subprocess.run(["tail", "-n", str(lines), "-F", *files], check=False)  # noqa: S607
            return
        for file in files:
            if len(files) > 1:
                click.secho(f"==> {file.stem}", bold=True)
            for line in tail(file, lines if service else min(lines, 5)):
                click.echo(line)

    def _log_files(self, service: str | None) -> list[Path]:
        folder = self._settings.home / "logs"
        files = sorted(folder.glob("*.log"))
        if not service:
            if files:
                return files
            raise MillraceError("the logs", f"{folder} is empty", "make up")
        if folder / f"{service}.log" in files:
            return [folder / f"{service}.log"]
        known = ", ".join(file.stem for file in files) or "none yet"
        raise MillraceError(f"service {service}", f"has no log; there are: {known}", "make status")

    def collect(self) -> None:
        """Tasks write to the state folder themselves."""
