"""A storm: blow after blow for minutes, drawn from a seed, the next before the last is mended.

What is drawn is repeatable: which blow, and what has to be seen before it. What the machine makes
of it is not, so a seed that has failed once stays in `KEPT_SEEDS` and is part of every long run.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from millrace.chaos.evidence import Witness
from millrace.chaos.fault import Fault
from millrace.chaos.faults import odd_records
from millrace.chaos.faults.held_file import held_data_file, of_tier
from millrace.chaos.processes import Container
from millrace.chaos.proxy import Moment, Snare
from millrace.chaos.thrift_calls import ALTER
from millrace.chaos.triggers import NotSeenError, until
from millrace.errors import MillraceError
from millrace_producers.encoding import Encoder
from millrace_producers.sample.publish import connect

if TYPE_CHECKING:
    from millrace.chaos.world import World

#: Seeds that failed once. Each has its reason beside it.
KEPT_SEEDS: tuple[int, ...] = ()

#: A blow waits so long for its moment; where the one before it hit, there may be none, and it comes
#: all the same.
MOMENT_S = 20.0
END_S = 30.0
#: service -> how often it is drawn. Those that a record passes through come more often.
SERVICES = {
    "kafka": 3,
    "metastore": 3,
    "namenode": 2,
    "datanode": 3,
    "objectstore": 2,
    "postgres": 2,
    "registry": 1,
    "nodemanager": 2,
    "resourcemanager": 2,
}
#: What else is hit: processes of the stream, a call to the metastore or its reply, bad records.
OTHERS = {"driver": 3, "executors": 3, "call": 2, "reply": 2, "poison": 1}
#: What is seen before a blow; a call and a reply are held by their nature.
MOMENTS = ("now", "commit", "committed", "writing")
OWN_MOMENTS = {"call": "commit", "reply": "committed", "poison": "now"}
Cut = Callable[[], None]


class Blow(NamedTuple):
    """One blow of a storm, as it is drawn: what is hit, and when."""

    what: str
    moment: str


def draw(rng: random.Random) -> Iterator[Blow]:
    """Blows without end."""
    weights = SERVICES | OTHERS
    while True:
        (what,) = rng.choices(list(weights), list(weights.values()))
        moment = rng.choice(MOMENTS)
        yield Blow(what, OWN_MOMENTS.get(what, moment))


class Storm(Fault):
    """Blows for so many minutes; then the stream has to come back by itself."""

    name = "storm"
    title = "random faults for minutes, the next before the last is mended"
    needs = (("ended", "process:"), ("present", "storm:"))

    def __init__(self) -> None:
        self._encoder: Encoder | None = None
        self._services: list[str] = []

    def prepare(self, world: World) -> None:
        """Ask the registry now; later it may be away."""
        contract = of_tier(world, "hdfs")
        self._encoder = connect(world.settings, [contract])[contract.dataset]
        self._services = [each for each in world.services.names() if world.services.process(each)]

    def strike(self, world: World, witness: Witness) -> None:
        """The kept seeds first, each for the minutes; nothing is mended between two of them."""
        hits = Counter[str]()
        for seed in (*KEPT_SEEDS, world.seed):
            world.say(f"storm of seed {seed}, {world.storm_minutes:g} minutes")
            hits += self._blow(world, witness, seed)
        witness.strike()
        listed = ", ".join(f"{what} {number}" for what, number in sorted(hits.items()))
        witness.see("present", "storm:blows", None, listed or None)

    def afterwards(self, world: World, witness: Witness) -> None:
        """Every service is back."""
        for name in self._services:
            world.services.wait_healthy(name)

    def _blow(self, world: World, witness: Witness, seed: int) -> Counter[str]:
        """Strike until the time is over; a blow that finds nothing to hit is left out."""
        rng, hits = random.Random(seed), Counter[str]()  # noqa: S311 - a storm can be made again
        blows = draw(rng)
        ends_at = time.monotonic() + 60 * world.storm_minutes
        while time.monotonic() < ends_at:
            blow = next(blows)
            try:
                with _at(world, blow.moment) as (seen, cut):
                    said = self._hit(world, blow, witness, cut)
            except MillraceError as error:
                world.say(f"blow on {blow.what} missed: {error.thing} {error.cause}")
                continue
            hits[blow.what] += 1
            world.say(f"blow {hits.total()} on {blow.what}, {seen}: {said}")
        return hits

    def _hit(self, world: World, blow: Blow, witness: Witness, cut: Cut) -> str:
        if blow.what in SERVICES:
            killed = world.services.kill(blow.what)
            until(f"the end of {blow.what}", lambda: not killed.is_alive, END_S)
            witness.see("ended", f"process:{blow.what}", str(killed), None)
            return str(killed)
        if blow.what in ("driver", "executors"):
            return _kill(world, witness, blow.what)
        if blow.what == "poison":
            return self._poison(world)
        cut()
        return "cut"

    def _poison(self, world: World) -> str:
        contract = of_tier(world, "hdfs")
        assert self._encoder
        good = [
            {
                "event_id": f"storm-{time.time_ns()}-{number}",
                "kind": "opened",
                "amount_cents": number,
                "note": "storm",
                "happened_at": datetime.now(UTC),
            }
            for number in range(20)
        ]
        made = odd_records.poison(contract, self._encoder, good, 10, world.rng)
        world.load.send([each.outgoing for each in made], bad=True)
        return f"{len(made)} bad records"


@contextlib.contextmanager
def _at(world: World, moment: str) -> Iterator[tuple[str, Cut]]:
    """What was seen, held for as long as the blow takes; and how to cut what is held."""
    with contextlib.ExitStack() as stack:
        snare: Snare | None = None
        seen = moment
        try:
            if moment in ("commit", "committed"):
                when = Moment.BEFORE if moment == "commit" else Moment.DONE
                snare = stack.enter_context(world.proxy.snare(ALTER, None, when))
                snare.wait(MOMENT_S)
            elif moment == "writing":
                contract = world.rng.choice(world.contracts)
                stack.enter_context(held_data_file(world, contract, MOMENT_S))
        except NotSeenError:
            seen, snare = f"{moment} not seen", None
        yield seen, snare.cut if snare else _nothing_is_held


def _nothing_is_held() -> None:
    raise NotSeenError("a call of the metastore", MOMENT_S)


def _kill(world: World, witness: Witness, what: str) -> str:
    """Kill the driver or the executors, where there are any."""

    def wanted(container: Container) -> bool:
        return container.is_driver == (what == "driver")

    found = [each for each in world.landing.containers() if wanted(each)]
    if not found:
        raise NotSeenError(f"the {what} of landing", 0)
    for each in found:
        each.kill()
    until(f"the end of the {what}", lambda: not any(each.is_alive for each in found), END_S)
    for each in found:
        witness.see("ended", f"process:{what}", str(each), None)
    return " ".join(each.id for each in found)


FAULTS = (Storm,)
