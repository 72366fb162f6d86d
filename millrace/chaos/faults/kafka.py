"""The broker dies while records are on their way to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from millrace.chaos.evidence import Witness
from millrace.chaos.fault import Fault
from millrace.chaos.triggers import until

if TYPE_CHECKING:
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
        # Looked at as often as the load sends: an answer comes within milliseconds.
        waiting = until("records on their way", lambda: world.load.waiting, 30.0, poll_s=0.001)
        witness.strike()
        self._killed = killed = world.services.kill("kafka")
        witness.see("present", "in-flight:kafka", None, f"{waiting} records without an answer")
        until("the end of the broker", lambda: not killed.is_alive, 30.0)
        witness.see("ended", "process:kafka", str(killed), None)

    def afterwards(self, world: World, witness: Witness) -> None:
        """The supervisor has started another."""
        other = world.services.wait_healthy("kafka", self._killed)
        witness.see("replaced", "process:kafka", str(self._killed), str(other))


FAULTS = (BrokerKilled,)
