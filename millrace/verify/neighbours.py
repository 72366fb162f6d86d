"""The rows before and after a gap, which tell of a time that the topic no longer has."""

from __future__ import annotations

import numpy as np

from millrace.verify.facts import Facts
from millrace.verify.keys import OFFSET_BITS, keys_of


class Neighbours:
    """The rows of both tables in the order of their positions."""

    def __init__(self, facts: Facts) -> None:
        held = (facts.raw, facts.quarantine)
        keys = np.concatenate([each.keys for each in held])
        order = np.argsort(keys, kind="stable")
        self._keys = keys[order]
        self._at = np.concatenate([each.at for each in held])[order]
        self._order = order
        self._held = held
        self._known = facts.began

    def time_from(self, partition: int, offset: int) -> int | None:
        """When the first row of the partition from an offset on came, in microseconds."""
        place = int(np.searchsorted(self._keys, keys_of([partition], [offset])[0]))
        return int(self._at[place]) if self._is_of(partition, place) else None

    def have_a_ledger(self, partition: int, low: int, after: int) -> bool:
        """Whether the rows next to a gap come from producers whose runs the ledger has."""
        first, last = keys_of([partition, partition], [low, after])
        before = int(np.searchsorted(self._keys, first)) - 1
        behind = int(np.searchsorted(self._keys, last))
        places = [place for place in (before, behind) if self._is_of(partition, place)]
        return bool(places) and all(self._run(place) in self._known for place in places)

    def _run(self, place: int) -> str | None:
        number, (raw, quarantine) = int(self._order[place]), self._held
        behind = number - len(raw.keys)
        run: str | None = (raw.runs[number] if behind < 0 else quarantine.runs[behind]).as_py()
        return run

    def _is_of(self, partition: int, place: int) -> bool:
        inside = 0 <= place < len(self._keys)
        return inside and int(self._keys[place]) >> OFFSET_BITS == partition
