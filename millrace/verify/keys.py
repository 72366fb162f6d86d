"""Positions as numbers: one 64-bit key for partition and offset, so that a million is 8 MB."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: 2^48 records of one partition are 900 years of 10,000 a second.
OFFSET_BITS = 48
_OFFSET_MASK = (1 << OFFSET_BITS) - 1
EMPTY: Keys = np.empty(0, np.int64)

#: partition -> (first offset, the one after the last)
Ranges = Mapping[int, tuple[int, int]]


def keys_of(partitions: object, offsets: object) -> Keys:
    """The keys of columns of partitions and offsets."""
    high = np.asarray(partitions, np.int64) << OFFSET_BITS
    return high | np.asarray(offsets, np.int64)


def positions_of(keys: Keys) -> tuple[tuple[int, int], ...]:
    """(partition, offset) of each key."""
    return tuple((int(key) >> OFFSET_BITS, int(key) & _OFFSET_MASK) for key in keys)


def within(keys: Keys, ranges: Ranges) -> Mask:
    """Which keys are of the ranges."""
    inside = np.zeros(len(keys), np.bool_)
    for partition, (low, high) in ranges.items():
        first, after = keys_of([partition, partition], [low, high])
        inside |= (keys >= first) & (keys < after)
    return inside


def beyond(keys: Keys, ranges: Ranges) -> Mask:
    """Which keys are at or after the end of their partition's range, or of no range at all."""
    before_end = {partition: (0, high) for partition, (_, high) in ranges.items()}
    return ~within(keys, before_end)


def is_in(keys: Keys, others: Keys) -> Mask:
    """Which keys are among the others, which are sorted."""
    if not len(others):
        return np.zeros(len(keys), np.bool_)
    places = np.minimum(np.searchsorted(others, keys), len(others) - 1)
    found: Mask = others[places] == keys
    return found


def repeated(keys: Keys) -> Keys:
    """The keys that are there more than once, each once."""
    values, counts = np.unique(keys, return_counts=True)
    return values[counts > 1]


def missing(keys: Keys, ranges: Ranges) -> dict[int, list[tuple[int, int]]]:
    """Partition to the intervals (first, after the last) of its range that no key covers."""
    gaps: dict[int, list[tuple[int, int]]] = {}
    known = np.unique(keys)
    for partition, (low, high) in ranges.items():
        first, after = keys_of([partition, partition], [low, high])
        mine = known[np.searchsorted(known, first) : np.searchsorted(known, after)]
        edges = np.concatenate(([first - 1], mine, [after]))
        holes = np.flatnonzero(np.diff(edges) > 1)
        found = [
            (int(edges[hole] + 1) & _OFFSET_MASK, _end(int(edges[hole + 1]), partition))
            for hole in holes
        ]
        if found:
            gaps[partition] = found
    return gaps


def _end(key: int, partition: int) -> int:
    return key - (partition << OFFSET_BITS)


def size(intervals: Iterable[tuple[int, int]]) -> int:
    """How many offsets the intervals cover."""
    return sum(after - first for first, after in intervals)
