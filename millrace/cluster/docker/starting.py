"""Starts a project and watches it until every service is healthy, or says which one is to blame."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Collection, Mapping
from pathlib import Path

from millrace.cluster.causes import LOG_LINES, ServiceError, explain, tail
from millrace.cluster.docker.containers import Container, containers, last_lines, states
from millrace.cluster.docker.engine import guarded
from millrace.cluster.docker.project import Project, refusal
from millrace.cluster.states import HOPELESS_RESTARTS, ProcessState, Watch
from millrace.errors import MillraceError

#: Two calls of the client a round, 0.1 s of processor time together.
_POLL_SECONDS = 1.0
_END_SECONDS = 20.0


class Starting:
    """One `docker compose up`, running beside us; it ends with us, however we end."""

    def __init__(self, project: Project, expected: Collection[str], profiles: Collection[str]):
        self._project = project
        self._expected = expected
        self._restarts: dict[str, int] = {}
        self._log = compose_log(project.settings.home)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        words = ("up", "--detach", "--no-build", "--remove-orphans")
        with self._log.open("wb") as log:
            # A killed `make up` must not go on starting things beside the next one.
            self._compose = subprocess.Popen(
                guarded(project.command(*words, profiles=profiles)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=project.environment(),
            )

    def wait(self, timeout: float, watch: Watch) -> list[str]:
        """Watch until all is healthy; returns the names of the services that run.

        Raises:
            MillraceError: a service can not start, or time ran out.
        """
        deadline = time.monotonic() + timeout
        try:
            while True:
                # Before the look: what Compose has started until it ended is seen.
                ended = self._compose.poll()
                found = {
                    name: container
                    for name, container in containers(self._project.name).items()
                    # What is no part of it any more is removed by Compose, in its own time.
                    if container.is_running or name in self._expected
                }
                seen = states(found, self._expected)
                watch(seen)
                if ended == 0 and all(state.is_settled for state in seen.values()):
                    return list(seen)
                self._refuse_hopeless(found, seen)
                if ended:
                    raise self._failure(found, seen)
                if time.monotonic() > deadline:
                    raise self._explain(
                        found, _late(seen), f"was not healthy within {timeout:.0f} s"
                    )
                time.sleep(_POLL_SECONDS)
        finally:
            self._end()

    def _refuse_hopeless(
        self, found: Mapping[str, Container], seen: Mapping[str, ProcessState]
    ) -> None:
        for name, container in found.items():
            state = seen[name]
            before = self._restarts.setdefault(container.id, state.restarts)
            # The engine counts from zero again when it starts a stopped container.
            self._restarts[container.id] = min(before, state.restarts)
            dying = state.restarts - before >= HOPELESS_RESTARTS and not state.is_settled
            if dying or _has_failed(state) or container.is_unhealthy:
                # Compose may be about to start again what an earlier run left dead.
                if not dying and self._compose.poll() is None:
                    continue
                raise self._explain(found, name, "could not be started")

    def _failure(
        self, found: Mapping[str, Container], seen: Mapping[str, ProcessState]
    ) -> MillraceError:
        """What Compose's own words mean."""
        said = "\n".join(tail(self._log, LOG_LINES))
        # "container millrace-trino-1 is unhealthy", "service "lake-init" didn't complete ..."
        named = re.search(rf"container {self._project.name}-([\w-]+?)-\d+ ", said) or re.search(
            r'service "([\w-]+)" didn', said
        )
        if named and named[1] in seen:
            return self._explain(found, named[1], "could not be started")
        if taken := re.search(r"(?:Bind for|listen tcp4?) \S*:(\d+)", said):
            remedy = "MILLRACE_PORT_OFFSET=1000 make up  # or end what holds it"
            return MillraceError(f"port {taken[1]}", "is held by another program", remedy)
        return refusal(said, "up")

    def _explain(self, found: Mapping[str, Container], name: str, cause: str) -> ServiceError:
        container = found.get(name)
        if container and container.was_out_of_memory:
            variable = self._project.limit_variable(name)
            remedy = "make down && MILLRACE_TIER=standard make up"
            remedy += f"  # or set {variable}" if variable else ""
            return ServiceError(f"service {name}", f"{cause}: it reached its memory limit", remedy)
        return explain(name, cause, last_lines(container, LOG_LINES) if container else [])

    def _end(self) -> None:
        if self._compose.poll() is None:
            self._compose.terminate()
            try:
                self._compose.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self._compose.kill()
                self._compose.wait()


def _late(seen: Mapping[str, ProcessState]) -> str:
    """Who is waited for: what has begun, before what waits for others itself."""
    unsettled = [state for state in seen.values() if not state.is_settled]
    begun = [state for state in unsettled if state.status != "Pending"]
    return next(state.name for state in (*begun, *unsettled, *seen.values()))


def _has_failed(state: ProcessState) -> bool:
    return state.status in ("Completed", "Error") and not state.is_settled


def compose_log(home: Path) -> Path:
    """What the last `docker compose up` said."""
    return home / "logs" / "compose.log"
