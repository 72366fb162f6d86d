"""The broker dies while records are on their way to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from millrace.chaos.evidence import Witness
from millrace.chaos.fault import Fault
from millrace.chaos.triggers import until

if TYPE_CHECKING:
    from millrace.chaos.load import Load
    from millrace.chaos.processes import ProcessId
    from millrace.chaos.world import World


class BrokerKilled(Fault):
    """Killed while answers are outstanding."""

    name = "broker-killed"
    title = "broker killed while producing"
    needs = (
        ("present", "in-flight:kafka"),
        ("ended", "process:kafka"),
        ("replaced", "process:kafka"),
    )

    def __init__(self) -> None:
        self._killed: ProcessId | None = None

    def strike(self, world: World, witness: Witness) -> None:
        """Wait until records are sent and not answered, and kill."""
        # Looked up first: an answer comes within milliseconds.
        self._killed = killed = world.services.running("kafka")
        waiting = until("records on their way", _Rise(world.load), 30.0, poll_s=0.001)
        witness.strike()
        killed.kill()
        until("the end of the broker", lambda: not killed.is_alive, 30.0)
        witness.see("ended", "process:kafka", str(killed), None)
        self._see_unanswered(world, witness, waiting)

    def afterwards(self, world: World, witness: Witness) -> None:
        """The supervisor has started another."""
        other = world.services.wait_healthy("kafka", self._killed)
        witness.see("replaced", "process:kafka", str(self._killed), str(other))

    def _see_unanswered(self, world: World, witness: Witness, waiting: int) -> None:
        """Count what the dead broker has not answered; another one needs seconds to start."""
        load, struck, ended = world.load, witness.mark, world.load.mark()
        assert struck
        # What it answered just before its end is in the ledger once the load writes there again.
        until("the load's next lines", lambda: load.mark() != ended, 30.0)
        left = load.unanswered(struck, load.mark())
        after = f"{left} records without an answer after its end" if left else None
        witness.see("present", "in-flight:kafka", f"{waiting} records on their way", after)


class _Rise:
    """How many records are without an answer, when there are more than a moment ago: just sent."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._before = load.waiting

    def __call__(self) -> int:
        before, self._before = self._before, self._load.waiting
        return self._before if self._before > before else 0


FAULTS = (BrokerKilled,)
