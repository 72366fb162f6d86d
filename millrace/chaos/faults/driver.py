"""The driver of landing dies, or loses an answer, at the worst moments of a commit.

All of it is done at the one call that moves the table: before the metastore has it the data files
and the metadata file are written and nothing points to them; after it the commit is done, and the
driver does not know.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, ClassVar

from millrace.chaos.evidence import Need, Witness
from millrace.chaos.fault import Fault
from millrace.chaos.proxy import Moment
from millrace.chaos.thrift_calls import ALTER
from millrace.chaos.triggers import until

if TYPE_CHECKING:
    from millrace.chaos.lake_view import Planned
    from millrace.chaos.processes import Container
    from millrace.chaos.world import World

DRIVER_KILLED: tuple[Need, ...] = (("ended", "process:driver"), ("replaced", "process:driver"))


class _DriverKilled(Fault):
    """The driver is killed while its commit is held at a moment."""

    moment: ClassVar[Moment]
    first_batch: ClassVar[bool] = False

    def __init__(self) -> None:
        self._killed: Container | None = None
        self._planned: Planned | None = None
        self._before = ""

    def strike(self, world: World, witness: Witness) -> None:
        """Hold the commit, look at both ends, kill."""
        if self.first_batch:
            world.landing.stop()
        self._before = world.lake.pointer(world.table)
        with ExitStack() as snares:
            snare = snares.enter_context(world.proxy.snare(ALTER, world.table, self.moment))
            if self.first_batch:
                world.landing.start()
            planned = world.lake.planned(snare.wait())
            while self.first_batch and not planned.files:
                # Ahead of a batch with bad records a new driver takes the table over, without rows.
                following = world.proxy.snare(ALTER, world.table, self.moment)
                taken, snare = snare, snares.enter_context(following)
                taken.release()
                self._before = planned.location
                planned = world.lake.planned(snare.wait())
            self._planned = planned
            if self.first_batch:
                witness.see("unmoved", "first-batch:" + world.table, self._before, planned.replaces)
            self._look(world, witness, planned)
            self._killed = driver = world.landing.driver(planned.writer)
            witness.strike()
            driver.kill()
            until("the end of the driver", lambda: not driver.is_alive, 30.0)
            witness.see("ended", "process:driver", str(driver), None)
            snare.cut()

    def afterwards(self, world: World, witness: Witness) -> None:
        """Another driver goes on."""
        assert self._killed
        assert self._planned
        other = world.landing.driver()
        witness.see("replaced", "process:driver", str(self._killed), str(other))
        self._look_back(world, witness, self._planned)

    def _look(self, world: World, witness: Witness, planned: Planned) -> None:
        """What is true while the commit is held."""
        raise NotImplementedError

    def _look_back(self, world: World, witness: Witness, planned: Planned) -> None:
        """What became of the commit."""
        raise NotImplementedError


class DriverKilledBeforeCommit(_DriverKilled):
    """Data files are there, no snapshot has them."""

    name = "driver-before-commit"
    title = "driver killed between data files and commit"
    moment = Moment.BEFORE
    needs = (*DRIVER_KILLED, ("present", "files:"), ("unmoved", "pointer:"), ("absent", "commit:"))

    def _look(self, world: World, witness: Witness, planned: Planned) -> None:
        table = world.table
        found = [path for path in planned.files if world.lake.exists(path)]
        witness.see("present", f"files:{table}", None, " ".join(found) or None)
        witness.see("unmoved", f"pointer:{table}", planned.replaces, world.lake.pointer(table))

    def _look_back(self, world: World, witness: Witness, planned: Planned) -> None:
        there = world.lake.has_snapshot(world.table, planned.snapshot_id)
        after = str(planned.snapshot_id) if there else None
        witness.see("absent", f"commit:{world.table}", str(planned.snapshot_id), after)


class DriverKilledAfterCommit(_DriverKilled):
    """The commit is done, the driver has not heard."""

    name = "driver-after-commit"
    title = "driver killed between commit and acknowledgement"
    moment = Moment.DONE
    needs = (*DRIVER_KILLED, ("moved", "pointer:"), ("present", "commit:"))

    def _look(self, world: World, witness: Witness, planned: Planned) -> None:
        pointer = world.lake.pointer(world.table)
        witness.see("moved", f"pointer:{world.table}", planned.replaces, pointer)

    def _look_back(self, world: World, witness: Witness, planned: Planned) -> None:
        there = world.lake.has_snapshot(world.table, planned.snapshot_id)
        after = str(planned.snapshot_id) if there else None
        witness.see("present", f"commit:{world.table}", None, after)


class FirstBatchKilledBeforeCommit(DriverKilledBeforeCommit):
    """The same, in the first batch after a start."""

    name = "first-batch-before-commit"
    title = "driver killed between data files and commit, in the first batch after a start"
    first_batch = True
    needs = (*DriverKilledBeforeCommit.needs, ("unmoved", "first-batch:"))


class FirstBatchKilledAfterCommit(DriverKilledAfterCommit):
    """The same, in the first batch after a start."""

    name = "first-batch-after-commit"
    title = "driver killed between commit and acknowledgement, in the first batch after a start"
    first_batch = True
    needs = (*DriverKilledAfterCommit.needs, ("unmoved", "first-batch:"))


class ReplyLost(Fault):
    """The metastore has done the commit; the connection breaks before the driver hears."""

    name = "metastore-reply-lost"
    title = "metastore's reply lost though the commit was done"
    needs = (
        ("moved", "pointer:"),
        ("present", "commit:"),
        ("unmoved", "process:driver"),
        ("present", "log:driver"),
    )

    def __init__(self) -> None:
        self._driver: Container | None = None
        self._lines = 0

    def strike(self, world: World, witness: Witness) -> None:
        """Hold the answer, see that the pointer has moved, cut."""
        with world.proxy.snare(ALTER, world.table, Moment.DONE) as snare:
            planned = world.lake.planned(snare.wait())
            pointer = world.lake.pointer(world.table)
            witness.see("moved", f"pointer:{world.table}", planned.replaces, pointer)
            there = world.lake.has_snapshot(world.table, planned.snapshot_id)
            after = str(planned.snapshot_id) if there else None
            witness.see("present", f"commit:{world.table}", None, after)
            self._driver = world.landing.driver(planned.writer)
            self._lines = len(world.landing.lines(self._driver))
            witness.strike()
            snare.cut()

    def afterwards(self, world: World, witness: Witness) -> None:
        """The same driver has found out by itself."""
        assert self._driver
        driver, said = self._driver, f"commit to {world.table}: unknown result"
        line = world.landing.said(driver, said, after=self._lines)
        witness.see("present", "log:driver", None, line)
        witness.see("unmoved", "process:driver", driver.id, world.landing.driver().id)


FAULTS = (
    DriverKilledBeforeCommit,
    DriverKilledAfterCommit,
    FirstBatchKilledBeforeCommit,
    FirstBatchKilledAfterCommit,
    ReplyLost,
)
