"""YARN's processes die while a batch is being landed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from millrace.chaos.evidence import Witness
from millrace.chaos.fault import Fault
from millrace.chaos.proxy import Moment
from millrace.chaos.triggers import until

if TYPE_CHECKING:
    from millrace.chaos.processes import Container, ProcessId
    from millrace.chaos.world import World

LOCK = "lock"


class NodeManagerKilled(Fault):
    """The node manager alone: containers outlive it."""

    name = "nodemanager-killed"
    title = "NodeManager killed; the stream's containers stay"
    needs = (
        ("ended", "process:nodemanager"),
        ("replaced", "process:nodemanager"),
        ("unmoved", "process:driver"),
    )

    def __init__(self) -> None:
        self._killed: ProcessId | None = None
        self._driver: Container | None = None

    def strike(self, world: World, witness: Witness) -> None:
        """Kill it while a commit is under way."""
        self._driver = world.landing.driver()
        with world.proxy.snare(LOCK, None, Moment.BEFORE) as snare:
            snare.wait()
            witness.strike()
            self._killed = killed = world.services.kill("nodemanager")
            until("the end of the NodeManager", lambda: not killed.is_alive, 30.0)
            witness.see("ended", "process:nodemanager", str(killed), None)

    def afterwards(self, world: World, witness: Witness) -> None:
        """Another one has found the containers."""
        assert self._driver
        other = world.services.wait_healthy("nodemanager", self._killed)
        witness.see("replaced", "process:nodemanager", str(self._killed), str(other))
        witness.see("unmoved", "process:driver", self._driver.id, world.landing.driver().id)


class ContainersKilled(Fault):
    """Driver and executors at once, while a commit is under way."""

    name = "containers-killed"
    title = "driver and executors killed at once"
    needs = (
        ("ended", "process:driver"),
        ("ended", "process:executor"),
        ("replaced", "process:driver"),
        ("replaced", "process:executor"),
    )

    def __init__(self) -> None:
        self._driver: Container | None = None
        self._executor: Container | None = None

    def strike(self, world: World, witness: Witness) -> None:
        """Kill all of them while the driver asks for its lock."""
        self._driver = driver = world.landing.driver()
        executors = until("the executors", world.landing.executors)
        self._executor = executors[0]
        with world.proxy.snare(LOCK, None, Moment.BEFORE) as snare:
            snare.wait()
            witness.strike()
            for each in (driver, *executors):
                each.kill()
            until("their end", lambda: not any(c.is_alive for c in (driver, *executors)), 30.0)
            witness.see("ended", "process:driver", str(driver), None)
            for each in executors:
                witness.see("ended", "process:executor", str(each), None)
            snare.cut()

    def afterwards(self, world: World, witness: Witness) -> None:
        """YARN has started others."""
        witness.see("replaced", "process:driver", str(self._driver), str(world.landing.driver()))
        others = until("the executors", world.landing.executors)
        witness.see("replaced", "process:executor", str(self._executor), str(others[0]))


FAULTS = (NodeManagerKilled, ContainersKilled)
