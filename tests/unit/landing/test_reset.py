"""Resets after table and log have parted: nothing lands twice, nothing new is left out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from millrace.contracts.names import QUARANTINE_TABLE
from millrace.landing.errors import OffsetsAheadError, QuarantineBehindError, TopicRecreatedError
from millrace.landing.positions import LogState
from millrace.landing.reset import reset_offsets
from tests.unit.landing.damage import roll_back

if TYPE_CHECKING:
    from tests.unit.landing.conftest import Landing

GOOD = b'{"page": "new"}'


def reset(landing: Landing) -> None:
    reset_offsets(landing.catalog, landing.contract, landing)


def new_pages(landing: Landing) -> list[int]:
    """Offsets of the new records that landed."""
    rows = landing.table("raw.visits").scan().to_arrow().to_pylist()
    return sorted(row["kafka_offset"] for row in rows if row["page"] == "new")


def test_a_topic_that_was_created_again_starts_at_its_beginning_and_the_rows_stay(
    landing: Landing,
) -> None:
    landing.land(landing.driver(), 10)
    landing.log = LogState("id-2", {0: 0}, {0: 3})
    with pytest.raises(TopicRecreatedError):
        landing.driver()
    reset(landing)
    lander = landing.driver()
    assert (lander.starts, lander.unfinished()) == ({"visits": {0: 0}}, {})
    assert landing.holds_all_once()


def test_a_topic_that_was_created_again_with_fewer_partitions_passes_the_gate(
    landing: Landing,
) -> None:
    landing.log = LogState("id-1", {0: 0, 1: 0}, {0: 10, 1: 0})
    landing.land(landing.driver(), 10)
    landing.log = LogState("id-2", {0: 0}, {0: 3})
    reset(landing)
    assert landing.driver().starts == {"visits": {0: 0}}


def test_a_table_ahead_of_its_log_goes_on_at_the_logs_end(landing: Landing) -> None:
    landing.land(landing.driver(), 10)
    landing.log = LogState("id-1", {0: 0}, {0: 5})
    with pytest.raises(OffsetsAheadError):
        landing.driver()
    reset(landing)
    lander = landing.driver()
    assert (lander.starts, lander.unfinished()) == ({"visits": {0: 5}}, {})


def test_after_offsets_aged_out_the_log_is_landed_from_its_beginning(landing: Landing) -> None:
    landing.land(landing.driver(), 2)
    landing.log = LogState("id-1", {0: 4}, {0: 10})
    reset(landing)
    assert landing.driver().starts == {"visits": {0: 4}}


def test_what_the_quarantine_has_of_a_topic_that_is_gone_is_not_left_out_of_the_new_one(
    landing: Landing,
) -> None:
    landing.land(landing.driver(), 10)  # quarantines 0, 3, 6, 9 of the old topic
    landing.write_log_anew(LogState("id-2", {0: 0}, {0: 10}))
    landing.values = {**dict.fromkeys(range(10), GOOD), 1: b"{}"}
    reset(landing)
    landing.die_between_the_commits(8)
    landing.finish(landing.driver())
    assert new_pages(landing) == [0, 2, 3, 4, 5, 6, 7]
    assert landing.offsets(QUARANTINE_TABLE) == [0, 1, 3, 6, 9]


def test_a_quarantine_ahead_of_the_log_is_reset_and_leaves_out_nothing_new(
    landing: Landing,
) -> None:
    landing.die_between_the_commits(8)  # quarantines 0, 3, 6
    landing.log = LogState("id-1", {0: 0}, {0: 5})
    with pytest.raises(OffsetsAheadError, match="landed up to 8 in quarantine"):
        landing.driver()
    reset(landing)
    lander = landing.driver()
    assert lander.unfinished() == {"visits": {0: (0, 5)}}
    landing.finish(lander)
    assert (landing.offsets("raw.visits"), lander.starts) == ([1, 2, 4], {"visits": {0: 5}})

    landing.write_log_anew(LogState("id-1", {0: 0}, {0: 10}))
    landing.values = {**dict.fromkeys(range(10), GOOD), 8: b"{}"}
    landing.die_between_the_commits(10)
    landing.finish(landing.driver())
    assert new_pages(landing) == [5, 6, 7, 9]
    assert landing.offsets(QUARANTINE_TABLE) == [0, 3, 6, 8]


def test_raw_is_not_rolled_back_behind_a_reset(landing: Landing) -> None:
    """What it agreed to leave out would be taken for landed: it was another log's."""
    lander = landing.driver()
    for high in (1, 3, 7):  # the second without a bad record, so quarantine stays at 1
        landing.land(lander, high)
    landing.log = replace(landing.log, ends={0: 2})
    reset(landing)
    roll_back(landing, QUARANTINE_TABLE, 2)
    with pytest.raises(QuarantineBehindError) as behind:
        landing.driver()
    assert behind.value.remedy == "bin/millrace landing reset visits"
