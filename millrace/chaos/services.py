"""The services of a native cluster as faults meet them: killed by pid, healthy by their probe."""

from __future__ import annotations

from millrace.chaos.processes import ProcessId, identify
from millrace.chaos.triggers import until
from millrace.cluster.health import ask
from millrace.cluster.states import health
from millrace.cluster.supervisor import Supervisor
from millrace.errors import MillraceError
from millrace.settings import Settings

#: After SIGKILL; test_faults holds each service to a minute alone, here several start at once.
HEALTHY_WITHIN_S = 180.0


class Services:
    """Kills services and waits until the supervisor has them back."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._supervisor = Supervisor(settings)

    def names(self) -> list[str]:
        """Every service that stays running."""
        states = self._supervisor.processes()
        return [name for name, state in states.items() if state.has_probe]

    def process(self, name: str) -> ProcessId | None:
        """The main process of a service; None while there is none."""
        state = self._supervisor.processes().get(name)
        return identify(state.pid) if state and state.pid else None

    def running(self, name: str) -> ProcessId:
        """The main process of a service, which takes longer to look up than to kill.

        Raises:
            MillraceError: it does not run.
        """
        process = self.process(name)
        if process is None:
            raise MillraceError(f"service {name}", "does not run", "make status")
        return process

    def kill(self, name: str) -> ProcessId:
        """End a service's main process at once; the process that was.

        Raises:
            MillraceError: it does not run.
        """
        process = self.running(name)
        process.kill()
        return process

    def is_healthy(self, name: str) -> bool:
        """As `millrace status` says."""
        states = self._supervisor.processes()
        state = states.get(name)
        if state is None or not state.is_settled:
            return False
        return health(state, ask(self._settings, [name]).get(name, True)) == "healthy"

    def wait_healthy(
        self, name: str, other_than: ProcessId | None = None, within_s: float = HEALTHY_WITHIN_S
    ) -> ProcessId:
        """The healthy process of a service, another than the one that was killed.

        Raises:
            NotSeenError: it is not healthy in time.
        """

        def look() -> ProcessId | None:
            process = self.process(name)
            new = process is not None and process != other_than
            return process if new and self.is_healthy(name) else None

        return until(f"service {name}, healthy", look, within_s, poll_s=0.5)
