"""The Docker runtime: every command of the cluster by Docker Compose.

The volumes are the data. The state folder keeps what the host needs: copies of the secrets, of the
ledger and of the reports, the lock, and which runtime and overlays the cluster has.
"""

from __future__ import annotations

import subprocess
from collections.abc import Collection

import click

from millrace.cluster.choice import DOCKER, record
from millrace.cluster.docker import volumes
from millrace.cluster.docker.containers import Container, containers, last_lines
from millrace.cluster.docker.engine import find_engine
from millrace.cluster.docker.ownership import check, check_deletable, claim, volume_name
from millrace.cluster.docker.plan import Plan
from millrace.cluster.docker.preflight import problems
from millrace.cluster.docker.project import PROFILES, Project, read_overlays, write_overlays
from millrace.cluster.docker.starting import Starting
from millrace.cluster.docker.status import read_status
from millrace.cluster.preflight import Problem
from millrace.cluster.state_folder import check_marked, close, empty, is_marked, only_one
from millrace.cluster.states import Watch
from millrace.cluster.status import ClusterStatus
from millrace.errors import MillraceError
from millrace.settings import Settings

#: Where `collect` finds what tasks wrote.
_TASKS = "airflow-scheduler"
#: What Compose ends with on Ctrl-C.
_INTERRUPTED = 130


class DockerRuntime:
    """The cluster of one state folder as a Compose project."""

    name = DOCKER

    def __init__(self, settings: Settings, overlays: Collection[str] | None = None) -> None:
        self._settings = settings
        chosen = read_overlays(settings.home) if overlays is None else tuple(overlays)
        self.project = Project(settings, chosen)

    @property
    def holdings(self) -> str:
        """Where the data is, for the question that `destroy` asks."""
        return f"in the volumes of the project {self.project.name} and below {self._settings.home}"

    def up(self, profiles: Collection[str], timeout: float, watch: Watch) -> list[str]:
        """Start what is missing and wait until all is healthy; then copy the secrets here."""
        with only_one(self._settings):
            plan = self._plan(profiles)
            for problem in problems(plan):
                if not problem.is_warning:
                    raise MillraceError(problem.thing, problem.cause, problem.remedy)
            claim(self.project, plan.found)
            close(self._settings.home)
            record(self._settings.home, DOCKER)
            write_overlays(self._settings.home, self.project.overlays)
            if aside := volumes.put_ledger_aside(self.project.name, self._settings.ledger):
                click.echo(f"the volumes are new: the former cluster's ledger is now {aside}")
            starting = Starting(self.project, list(plan.config["services"]), plan.profiles)
            services = starting.wait(timeout, watch)
            if secrets := self._containers().get("secrets"):
                volumes.copy_secrets(secrets, self._settings.secrets)
            return services

    def down(self) -> int:
        """Stop and remove the containers; the volumes stay."""
        with only_one(self._settings):
            find_engine()
            self._containers()
            self.project.take_down()
        return 0

    def destroy(self) -> None:
        """Remove the containers, the volumes and the content of the state folder."""
        find_engine()
        found = self._containers()
        # What `docker compose up` started by hand has a project, and a state folder without a mark.
        if found or volumes.volumes(self.project.name):
            check_deletable(self.project, found)
        else:
            check_marked(self._settings)
        with only_one(self._settings):
            self.project.take_down()
            # The claim last: a destroy that is killed half way can be gone on with.
            volumes.remove_volumes(self.project.name)
            volumes.remove(volume_name(self.project.name))
            if is_marked(self._settings.home):
                empty(self._settings.home)

    def status(self) -> ClusterStatus:
        """Read it now; a cluster that is not running has no services."""
        return read_status(self._containers())

    def is_running(self) -> bool:
        """Whether any of its containers runs."""
        try:
            return any(each.is_running for each in self._containers().values())
        except MillraceError:
            return False

    def services(self, profiles: Collection[str] = ()) -> list[str]:
        """The services that `up` starts."""
        return list(self.project.config(profiles)["services"])

    def problems(self) -> list[Problem]:
        """Everything that stands in the way of `up`, or is wrong with what runs."""
        try:
            return list(problems(self._plan(())))
        except MillraceError as error:
            return [Problem(error.thing, error.cause, error.remedy)]

    def logs(self, service: str | None, follow: bool, lines: int) -> None:
        """Print the end of the logs, and go on with them where asked to."""
        found = self._containers()
        if not found:
            raise MillraceError("the logs", f"{self.project.name} has no container", "make up")
        if service and service not in found:
            known = ", ".join(found)
            raise MillraceError(
                f"service {service}", f"has no log; there are: {known}", "make status"
            )
        if follow:
            # Without the prefix of its name a single log reads as it was written.
            one = ("--no-log-prefix", service) if service else ()
            command = self.project.by_name("logs", "--follow", "--tail", str(lines), *one)
            code = subprocess.run(command, cwd="/", check=False).returncode
            if code > 0 and code != _INTERRUPTED:
                raise MillraceError("the logs", "could not be followed", "make status")
            return
        for name, container in found.items() if not service else [(service, found[service])]:
            if not service:
                click.secho(f"==> {name}", bold=True)
            for line in last_lines(container, lines if service else min(lines, 5)):
                click.echo(line)

    def collect(self) -> None:
        """Copy the ledger, the sample and the reports that tasks wrote since the last time."""
        found = self._containers().get(_TASKS)
        if found and found.is_running:
            volumes.collect(found, self._settings.home)

    def _containers(self) -> dict[str, Container]:
        """The project's, once it is certain that they are this cluster's."""
        found = containers(self.project.name)
        check(self.project, found)
        return found

    def _plan(self, profiles: Collection[str]) -> Plan:
        engine = find_engine(self.project.oldest_compose)
        found = self._containers()
        config = self.project.config(profiles)
        # What a profile once started is a part of this cluster: a stopped part is started, too.
        if left := set(found) - set(config["services"]):
            known = self.project.config(PROFILES)["services"]
            more = {p for name in left for p in known.get(name, {}).get("profiles") or ()}
            profiles = sorted({*profiles, *more})
            config = self.project.config(profiles)
        return Plan(self.project, engine, config, found, tuple(profiles))
