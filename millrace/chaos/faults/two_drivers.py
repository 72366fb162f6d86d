"""Two drivers of landing at once: the first one freezes inside its commit and wakes up too late."""

from __future__ import annotations

from typing import TYPE_CHECKING

from millrace.chaos.evidence import Witness
from millrace.chaos.fault import Fault
from millrace.chaos.proxy import Moment, Snare
from millrace.chaos.thrift_calls import ALTER
from millrace.chaos.triggers import until

if TYPE_CHECKING:
    from millrace.chaos.processes import Container
    from millrace.chaos.world import World

#: A second application starts, waits for the lock of the first one, and lands.
SECOND_S = 300.0
#: What the first driver says when it wakes up: it heard the refusal, or its patience with the
#: metastore was over while it was frozen, and it found the table moved.
NOTICED = ("another writer has moved the offsets", "its result is not known")


class TwoDrivers(Fault):
    """The first driver freezes inside its commit; a second one lands; the first is thawed.

    Frozen is the Python process, which plans and commits: of the whole container YARN would hear
    nothing and end it after two minutes, before it could be thawed.
    """

    name = "two-drivers"
    title = "driver frozen inside its commit, a second one lands, the first is thawed"
    needs = (
        ("present", "frozen:driver"),
        ("moved", "pointer:"),
        ("refused", "commit:"),
        ("present", "log:driver"),
        ("replaced", "writer:"),
    )

    def __init__(self) -> None:
        self._first: Container | None = None
        self._lines = 0

    def strike(self, world: World, witness: Witness) -> None:
        """Freeze, start another, wait until it has landed, thaw."""
        with world.proxy.snare(ALTER, world.table, Moment.BEFORE) as snare:
            planned = world.lake.planned(snare.wait())
            self._first = first = world.landing.driver(planned.writer).python
            witness.strike()
            first.freeze()
            until("the frozen driver", lambda: first.is_frozen, 10.0)
            witness.see("present", "frozen:driver", None, str(first))
            world.say(f"{planned.writer} is frozen inside its commit; starting another")
            second = world.landing.start()
            until(
                f"a commit of {second}",
                lambda: second in world.lake.writers(world.table).values(),
                SECOND_S,
                poll_s=0.5,
            )
            pointer = world.lake.pointer(world.table)
            witness.see("moved", f"pointer:{world.table}", planned.replaces, pointer)
            witness.see("replaced", f"writer:{world.table}", planned.writer, second)
            self._thaw(snare, first, witness, world)

    def _thaw(self, snare: Snare, first: Container, witness: Witness, world: World) -> None:
        """The held call reaches the metastore now, and the driver hears what it says."""
        snare.release()
        assert snare.call
        call = snare.call
        until("the metastore's answer to the thawed commit", snare.answered.is_set, 60.0)
        witness.see("refused", f"commit:{world.table}", None, call.refusal)
        self._lines = len(world.landing.lines(first))
        first.thaw()

    def afterwards(self, world: World, witness: Witness) -> None:
        """The first driver has noticed; one of the two is enough."""
        assert self._first
        first = self._first
        line = until(
            "the first driver's word on its refusal",
            lambda: world.landing.said(first, *NOTICED, after=self._lines),
            60.0,
        )
        witness.see("present", "log:driver", None, line)
        world.landing.hands.append(f"{first.application} killed: two drivers go on, one is enough")
        world.landing.kill(first.application)

    def clean(self, world: World) -> None:
        """Nobody stays frozen."""
        if self._first:
            self._first.thaw()


FAULTS = (TwoDrivers,)
