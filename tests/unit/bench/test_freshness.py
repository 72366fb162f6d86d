"""Ages of records by what was visible when, and their percentiles."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import pytest

from millrace.bench.freshness import Seen, Watcher, ages, percentile
from millrace.errors import MillraceError


def test_a_record_is_as_old_as_the_first_answer_that_has_it() -> None:
    seen = [Seen(10.0, {}), Seen(11.0, {0: 5}), Seen(12.0, {0: 5, 1: 1}), Seen(13.0, {0: 9, 1: 1})]
    followed = [(0, 4, 9.0), (0, 5, 9.0), (1, 0, 11.5), (0, 8, 10.5)]
    assert ages(followed, seen) == [2.0, 4.0, 0.5, 2.5]


def test_a_record_that_no_answer_has_is_never_visible() -> None:
    assert ages([(0, 9, 1.0), (2, 0, 1.0)], [Seen(5.0, {0: 9})]) == [math.inf, math.inf]


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([1.0], 0.5, 1.0),
        ([3.0, 1.0, 2.0, 4.0], 0.5, 2.0),
        (list(range(1, 101)), 0.99, 99),
        (list(range(1, 102)), 0.99, 100),
        (list(range(1, 101)), 1.0, 100),
        ([1.0, math.inf], 0.99, math.inf),
    ],
)
def test_percentiles_are_values_that_were_measured(
    values: Sequence[float], share: float, expected: float
) -> None:
    assert percentile(values, share) == expected


class Trino:
    """Answers with one landing more each time it is asked for the offsets."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._landed = 0

    def __call__(self, query: str) -> Sequence[Sequence[Any]]:
        if "count(*)" in query:
            return [[self._count]]
        assert '"bench_pulses$snapshots"' in query
        self._landed += 10
        entry = {"topic_id": "x", "offsets": {"0": self._landed, "1": 1}, "quarantined": {}}
        return [[json.dumps({"bench.pulses": entry})]]


@pytest.mark.parametrize("count", [11, 16, 21])
def test_a_count_between_the_offsets_proves_them(count: int) -> None:
    watcher = Watcher(Trino(count), "raw.bench_pulses", "bench.pulses")
    assert watcher.prove() == (11, count, 21)


@pytest.mark.parametrize("count", [10, 22])
def test_a_count_that_contradicts_the_offsets_is_an_error(count: int) -> None:
    watcher = Watcher(Trino(count), "raw.bench_pulses", "bench.pulses")
    with pytest.raises(MillraceError, match=f"counts {count} rows, the offsets say 11 to 21"):
        watcher.prove()


def test_a_table_without_a_snapshot_shows_nothing() -> None:
    assert Watcher(lambda query: [], "raw.bench_pulses", "bench.pulses").look().rows == 0
