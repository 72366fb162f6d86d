"""Which records of an unfinished batch a table has already, so that they are left out of it.

A record is told by its position and its time in the log (`Identity`), not by its position alone:
rows at the same offsets may be of a topic, or of an end of the log, that is gone.
"""

from __future__ import annotations

from pyiceberg.expressions import NotEqualTo
from pyiceberg.table import Table

from millrace.lake.offsets import Identity, identities
from millrace.landing.positions import Ranges

#: A replayed record is in its raw table, or has to land again after that was rolled back.
NOT_REPLAYED = NotEqualTo(term="status", value="replayed")


def held(raw: Table, quarantine: Table, topic: str, ranges: Ranges) -> frozenset[Identity]:
    """The records of the ranges that quarantine has, and those that were replayed into raw."""
    low = min(start for start, _ in ranges.values())
    high = max(end for _, end in ranges.values())
    quarantined = identities(quarantine, topic, low, high, NOT_REPLAYED)
    return frozenset(quarantined | identities(raw, topic, low, high))
