"""Offsets rebuilt from rows: of the log that is there now, of each table that lost them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

from millrace.contracts.names import QUARANTINE_TABLE
from millrace.lake.commit import commit_append
from millrace.lake.offsets import TopicOffsets
from millrace.landing.broker import Place
from millrace.landing.errors import (
    OffsetsAgedOutError,
    OffsetsLostError,
    RowsOfAnotherLogError,
    TakenOverError,
)
from millrace.landing.positions import LogState
from millrace.landing.rebuild import Change, Rebuild, plan_rebuilds
from millrace.landing.reset import reset_offsets
from tests.unit.landing.damage import expire_all_but_the_current, foreign_commit

if TYPE_CHECKING:
    from tests.unit.landing.conftest import Landing

TABLES = ("raw.visits", QUARANTINE_TABLE)


def lose_offsets(landing: Landing, *names: str) -> None:
    """A foreign commit, and an expiry of all that came before it."""
    for name in names:
        foreign_commit(landing, name)
        expire_all_but_the_current(landing, name)


def plan(landing: Landing, *doubted: str) -> list[Rebuild]:
    told: list[str] = []
    planned = plan_rebuilds(landing.catalog, landing, [landing.contract], doubted, told.append)
    assert len(told) == sum(each.lost or each.table.name in doubted for each in planned)
    return [each for each in planned if each.is_needed]


def rebuild(landing: Landing) -> None:
    for each in plan(landing):
        each.apply()


def test_a_plan_changes_nothing_and_tells_what_the_rows_say(landing: Landing) -> None:
    landing.land(landing.driver(), 8)
    lose_offsets(landing, *TABLES)
    quarantine, raw = plan(landing)
    assert quarantine.changes == (Change("visits", 0, None, 7),)
    assert (raw.changes, raw.lost) == ((Change("visits", 0, None, 8),), True)
    assert raw.offsets == {"visits": TopicOffsets({0: 8}, "id-1", {0: 7})}
    with pytest.raises(OffsetsLostError):
        landing.driver()


def test_a_rebuilt_table_goes_on_where_its_rows_end(landing: Landing) -> None:
    landing.land(landing.driver(), 8)
    lose_offsets(landing, *TABLES)
    rebuild(landing)
    lander = landing.driver()
    landing.finish(lander)
    landing.land(lander, 10)
    assert landing.holds_all_once()


def test_records_behind_the_last_row_that_are_quarantined_are_left_out(landing: Landing) -> None:
    landing.land(landing.driver(), 10)  # the last record, 9, is bad
    lose_offsets(landing, *TABLES)
    rebuild(landing)
    lander = landing.driver()
    assert lander.unfinished() == {"visits": {0: (9, 10)}}
    landing.finish(lander)
    assert landing.holds_all_once()


def test_an_interrupted_batch_is_still_finished_after_a_rebuild_of_both_tables(
    landing: Landing,
) -> None:
    landing.land(landing.driver(), 2)
    landing.die_between_the_commits(8)
    lose_offsets(landing, *TABLES)
    rebuild(landing)
    lander = landing.driver()
    landing.finish(lander)
    landing.land(lander, 10)
    assert landing.holds_all_once()


def test_a_quarantine_that_alone_lost_its_offsets_gets_those_that_raw_notes(
    landing: Landing,
) -> None:
    landing.land(landing.driver(), 8)  # the last bad record is 6
    lose_offsets(landing, QUARANTINE_TABLE)
    (quarantine,) = plan(landing)
    assert quarantine.changes == (Change("visits", 0, None, 8),)
    quarantine.apply()
    landing.land(landing.driver(), 10)
    assert landing.holds_all_once()


def test_what_is_recorded_and_right_needs_no_rebuild_even_where_it_is_doubted(
    landing: Landing,
) -> None:
    landing.land(landing.driver(), 10)
    assert plan(landing) == []
    assert plan(landing, *TABLES) == []


def test_rows_beyond_what_is_recorded_are_found_where_the_table_is_doubted(
    landing: Landing,
) -> None:
    landing.land(landing.driver(), 4)
    files = landing.sift(4, 6, landing.driver().job())
    table = landing.table("raw.visits")
    at = table.metadata.current_snapshot_id
    commit_append(landing.catalog, table, [file.data_file() for file in files], {}, at)
    (raw,) = plan(landing, "raw.visits")
    assert raw.changes == (Change("visits", 0, 4, 6),)
    raw.apply()
    assert landing.driver().starts == {"visits": {0: 6}}


def test_rows_of_a_topic_that_is_gone_move_nothing(landing: Landing) -> None:
    landing.land(landing.driver(), 10)
    landing.write_log_anew(LogState("id-2", {0: 0}, {0: 40}))
    landing.values = dict.fromkeys(range(40), b'{"page": "new"}')
    reset_offsets(landing.catalog, landing.contract, landing)
    landing.land(landing.driver(), 3)
    lose_offsets(landing, *TABLES)
    rebuild(landing)
    lander = landing.driver()
    assert (lander.starts, lander.unfinished()) == ({"visits": {0: 3}}, {})


def test_a_clock_that_was_set_back_hides_no_row(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing.land(landing.driver(), 3)
    landing.stamp -= 1_000_000  # what comes from now on is stamped earlier
    landing.land(landing.driver(), 9)
    lose_offsets(landing, "raw.visits")
    stamped = landing.first_records

    def first_records(places: Mapping[Place, int]) -> dict[Place, tuple[int, int]]:
        return {
            place: (offset, at + (1_000_000 if offset < 3 else 0))
            for place, (offset, at) in stamped(places).items()
        }

    monkeypatch.setattr(landing, "first_records", first_records)
    (raw,) = plan(landing)
    assert raw.changes == (Change("visits", 0, None, 9),)


def test_records_that_aged_out_are_still_missed_after_a_rebuild(landing: Landing) -> None:
    landing.land(landing.driver(), 5)
    lose_offsets(landing, "raw.visits")
    landing.log = LogState("id-1", {0: 8}, {0: 10})
    rebuild(landing)
    with pytest.raises(OffsetsAgedOutError, match="offsets 5 to 7"):
        landing.driver()


def test_rows_that_are_not_what_the_log_has_stop_the_rebuild(landing: Landing) -> None:
    landing.land(landing.driver(), 9)
    lose_offsets(landing, "raw.visits")
    # The broker lost the end of its log, and it was filled again.
    landing.stamp -= 1
    with pytest.raises(RowsOfAnotherLogError, match="offset 8 of partition 0"):
        plan(landing)


def test_a_plan_that_the_table_has_left_behind_is_not_recorded(landing: Landing) -> None:
    landing.land(landing.driver(), 8)
    lose_offsets(landing, "raw.visits")
    (raw,) = plan(landing)
    table = landing.table("raw.visits")
    commit_append(landing.catalog, table, [], {}, table.metadata.current_snapshot_id)
    with pytest.raises(TakenOverError):
        raw.apply()
