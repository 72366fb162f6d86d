"""The law of the demo: every acknowledged record in raw once, or in quarantine once."""

from __future__ import annotations

import pytest

from millrace.demo.counts import DatasetCounts


def counts(**changed: int) -> DatasetCounts:
    """A dataset whose law holds: 90 records in raw, 10 in quarantine, in 100 positions."""
    kept = {"acknowledged": 100, "refused": 0, "unknown": 0}
    kept |= {"landed": 90, "quarantined": 10, "distinct": 100}
    return DatasetCounts(dataset="orders", **{**kept, **changed})


@pytest.mark.parametrize(
    ("changed", "holds"),
    [
        ({}, True),
        # The producer does not know of five: any number of them may be there, no more.
        ({"acknowledged": 95, "unknown": 5}, True),
        ({"unknown": 5}, True),
        ({"acknowledged": 94, "unknown": 5}, False),
        ({"refused": 5}, True),
        ({"landed": 89, "distinct": 99}, False),
        # One lost and another one twice: the sum is right.
        ({"distinct": 99}, False),
        ({"landed": 91, "quarantined": 10}, False),
    ],
    ids=[
        "each once",
        "all of unknown outcome arrived",
        "none of unknown outcome arrived",
        "more than were sent",
        "refused ones are not sent",
        "one lost",
        "one lost, one in raw and in quarantine",
        "one twice",
    ],
)
def test_the_law_holds_where_each_record_is_seen_once(changed: dict[str, int], holds: bool) -> None:
    assert counts(**changed).law_holds is holds
