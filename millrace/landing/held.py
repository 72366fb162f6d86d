"""What the tables have already of an unfinished batch, so that it lands nothing a second time.

A record is told by its position and its time in the log (`Identity`), not by its position alone:
rows at the same offsets may be of a topic, or of an end of the log, that is gone.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyiceberg.expressions import EqualTo, NotEqualTo
from pyiceberg.table import Table

from millrace.lake.offsets import Identity, identities
from millrace.landing.positions import Ranges

REPLAYED = "replayed"


@dataclass(frozen=True)
class Held:
    """Records that are in a table.

    Attributes:
        left_out: they wait in quarantine, or were replayed into raw: nothing of them lands.
        replayed: marked so in quarantine and not in raw, which was rolled back. One that is good
            lands again; one that is not (it was replayed with a corrected value) has its row in
            quarantine, and gets no second one.
    """

    left_out: frozenset[Identity] = frozenset()
    replayed: frozenset[Identity] = frozenset()


def held(raw: Table, quarantine: Table, topic: str, ranges: Ranges) -> Held:
    """What quarantine and the raw table have of the ranges."""
    low = min(start for start, _ in ranges.values())
    high = max(end for _, end in ranges.values())
    waiting = identities(quarantine, topic, low, high, NotEqualTo(term="status", value=REPLAYED))
    replayed = identities(quarantine, topic, low, high, EqualTo(term="status", value=REPLAYED))
    left_out = waiting | identities(raw, topic, low, high)
    return Held(frozenset(left_out), frozenset(replayed - left_out))
