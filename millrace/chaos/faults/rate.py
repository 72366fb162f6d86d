"""Twenty times as many records as the stream is used to."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from millrace.chaos.evidence import Witness
from millrace.chaos.fault import Fault
from millrace.chaos.triggers import until
from millrace.landing.broker import Broker

if TYPE_CHECKING:
    from millrace.chaos.world import World

FACTOR = 20
#: Long enough for several batches of landing, short enough to be caught up with in a minute.
SECONDS = 10
#: More is asked of the client, so that what arrives is `FACTOR` times the rate, or more.
MARGIN = 1.3


class TwentyTimesTheRate(Fault):
    """A burst; nothing is refused, and the stream catches up with it by itself."""

    name = "twenty-times-the-rate"
    title = f"{FACTOR} times the rate for {SECONDS} s"
    needs = (("moved", "rate:"), ("moved", "offsets:"))

    def strike(self, world: World, witness: Witness) -> None:
        """Send faster until the log has grown by so much; the time to recover is that after it."""
        topics = [each.topic for each in world.contracts]
        broker, usual = Broker(world.settings.kafka.address), world.load.rate
        wanted = round(usual * FACTOR * SECONDS)
        before = _ends(broker, topics)
        started = time.monotonic()
        world.load.rate = usual * FACTOR * MARGIN
        try:
            after = until(
                f"{wanted} records in the log",
                lambda: end if (end := _ends(broker, topics)) - before >= wanted else None,
                SECONDS * 6,
            )
        finally:
            world.load.rate = usual
        seconds = time.monotonic() - started
        witness.strike()
        witness.see("moved", "offsets:kafka", str(before), str(after))
        rate = (after - before) / seconds
        is_meant = rate >= usual * FACTOR
        seen = f"{rate:.0f} records a second for {seconds:.1f} s" if is_meant else None
        witness.see("moved", "rate:load", f"{usual:.0f} records a second", seen)


def _ends(broker: Broker, topics: list[str]) -> int:
    return sum(sum(each.ends.values()) for each in broker.log_states(topics).values())


FAULTS = (TwentyTimesTheRate,)
