"""The state of one service, as either runtime reports it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

#: A service that has died this often before it was healthy is not going to start.
HOPELESS_RESTARTS = 3


@dataclass(frozen=True)
class ProcessState:
    """One service as its supervisor sees it: process-compose, or the container engine.

    Attributes:
        status: Pending, Launching, Running, Restarting, Completed, Skipped or Error.
        health: Ready, Not Ready, Unhealthy (given up on), or anything else where there is no probe.
    """

    name: str
    status: str
    health: str
    restarts: int
    exit_code: int
    pid: int
    has_probe: bool

    @property
    def is_settled(self) -> bool:
        """Healthy, or a one-shot that has done its work."""
        if self.status == "Completed":
            return self.exit_code == 0 and not self.has_probe
        return self.status == "Running" and self.has_probe and self.health == "Ready"


Watch = Callable[[Mapping[str, ProcessState]], None]


def health(state: ProcessState, answers: bool = True) -> str:
    """`done` is said of a one-shot, `unhealthy` of what Docker has given up on.

    Else: `healthy`, `starting`, `waiting` (for another), `restarting` or `failed`.
    """
    if state.is_settled and answers:
        return "healthy" if state.has_probe else "done"
    if state.status in ("Pending", "Launching"):
        return "waiting"
    if state.status in ("Running", "Launched"):
        return "unhealthy" if state.health == "Unhealthy" else "starting"
    return "failed" if state.status in ("Completed", "Error", "Skipped") else "restarting"
