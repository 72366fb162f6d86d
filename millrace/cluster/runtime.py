"""The runtime of a cluster: one protocol, natively or by Docker; nobody else asks which.

`current` gives the runtime that the user asked for, or the one the state folder belongs to.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from millrace.cluster.choice import DOCKER, choose, recorded, wanted
from millrace.cluster.docker.runtime import DockerRuntime
from millrace.cluster.native import NativeRuntime
from millrace.cluster.preflight import Problem
from millrace.cluster.states import Watch
from millrace.cluster.status import ClusterStatus
from millrace.errors import MillraceError
from millrace.settings import Settings


class Runtime(Protocol):
    """What the commands of the cluster need of a runtime."""

    @property
    def name(self) -> str:
        """`docker` or `native`."""

    @property
    def holdings(self) -> str:
        """Where the data is, in words that follow `delete all data`."""

    def up(self, profiles: Collection[str], timeout: float, watch: Watch) -> list[str]:
        """Start what is missing and wait until all is healthy; returns what runs.

        Raises:
            MillraceError: something stands in the way, a service can not start, or time ran out.
        """

    def down(self) -> int:
        """Stop everything, keep the data; returns how many strays had to be ended."""

    def status(self) -> ClusterStatus:
        """Every service now; none where the cluster is down."""

    def logs(self, service: str | None, follow: bool, lines: int) -> None:
        """Print the end of the log of one service, or of all."""

    def problems(self) -> list[Problem]:
        """What stands in the way of `up` on this machine."""

    def destroy(self) -> None:
        """Stop everything and delete the data."""

    def is_running(self) -> bool:
        """Whether any part of the cluster runs."""

    def services(self, profiles: Collection[str] = ()) -> list[str]:
        """The services that `up` starts."""

    def collect(self) -> None:
        """Bring what tasks wrote (ledger, sample, reports) to the state folder."""


def current(settings: Settings, overlays: Collection[str] | None = None) -> Runtime:
    """The runtime of this cluster.

    Args:
        settings: of the cluster.
        overlays: of Docker's compose file; None for those of the last `up`.

    Raises:
        MillraceError: `RUNTIME` is none, or is not the one that the state folder belongs to.
    """
    asked, owner = wanted(), recorded(settings.home)
    if asked and owner and asked != owner:
        raise _conflict(settings, asked, owner)
    if choose(settings.home) == DOCKER:
        return DockerRuntime(settings, overlays)
    if overlays:
        cause = "only Docker has overlays"
        raise MillraceError(f"OVERLAY={' '.join(overlays)}", cause, "make up RUNTIME=docker")
    return NativeRuntime(settings)


def collect(settings: Settings) -> None:
    """Bring what tasks wrote to the state folder, where it is not there already."""
    if choose(settings.home) == DOCKER:
        DockerRuntime(settings).collect()


def _conflict(settings: Settings, asked: str, owner: str) -> MillraceError:
    """Secrets and ledger are those of one cluster: a state folder never has two."""
    runtime: Runtime
    runtime = DockerRuntime(settings) if owner == DOCKER else NativeRuntime(settings)
    how = "in Docker" if owner == DOCKER else "natively"
    if runtime.is_running():
        remedy = f"make down RUNTIME={owner}  # then set MILLRACE_HOME for a second cluster"
        return MillraceError(f"RUNTIME={asked}", f"the cluster is running {how}", remedy)
    cause = f"{settings.home} holds the state of a cluster that ran {how}"
    remedy = f"make up RUNTIME={owner}  # or set MILLRACE_HOME, or make destroy RUNTIME={owner}"
    return MillraceError(f"RUNTIME={asked}", cause, remedy)
