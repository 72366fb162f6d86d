"""Batches against real tables, through crashes, races and rollbacks: each record once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from millrace.contracts.names import QUARANTINE_TABLE
from millrace.lake import LakeCatalog
from millrace.lake.commit import commit_append
from millrace.lake.offsets import recorded
from millrace.landing.errors import TableMissingError, TakenOverError
from millrace.landing.landed_table import LandedTable

if TYPE_CHECKING:
    from tests.unit.landing.conftest import Landing


def test_a_batch_lands_its_good_records_in_raw_and_its_bad_ones_in_quarantine(
    landing: Landing,
) -> None:
    lander = landing.driver()
    landing.land(lander, 4)
    landing.land(lander, 10)
    assert landing.holds_all_once()
    (last,) = (recorded(landing.table("raw.visits")) or {}).values()
    assert (last.ends, last.topic_id, lander.starts) == ({0: 10}, "id-1", {"visits": {0: 10}})


def test_rows_carry_what_kafka_knows_and_why_they_were_refused(landing: Landing) -> None:
    landing.land(landing.driver(), 10)
    raw = {r["kafka_offset"]: r for r in landing.table("raw.visits").scan().to_arrow().to_pylist()}
    assert (raw[1]["page"], raw[1]["value"], raw[1]["is_tombstone"]) == (
        "p",
        landing.values[1],
        False,
    )
    assert (raw[7]["page"], raw[7]["value_sha256"], raw[7]["is_tombstone"]) == (None, None, True)
    bad = landing.table(QUARANTINE_TABLE).scan().to_arrow().to_pylist()[0]
    told = (bad["dataset"], bad["reason"], bad["field"], bad["status"], bad["value"])
    assert told == ("visits", "missing_field", "page", "open", b"{}")


def test_a_batch_of_bad_records_alone_still_moves_the_raw_tables_offsets(landing: Landing) -> None:
    landing.land(landing.driver(), 1)
    assert landing.holds_all_once(up_to=1)
    assert landing.driver().starts == {"visits": {0: 1}}


def test_a_driver_that_dies_between_its_two_commits_doubles_and_loses_nothing(
    landing: Landing,
) -> None:
    landing.die_between_the_commits(8)
    assert (landing.offsets("raw.visits"), landing.offsets(QUARANTINE_TABLE)) == ([], [0, 3, 6])
    lander = landing.driver()
    assert lander.unfinished() == {"visits": {0: (0, 8)}}
    landing.finish(lander)
    landing.land(lander, 10)
    assert landing.holds_all_once()


def test_a_table_that_is_taken_over_stays_landed_where_the_topics_id_was_not_known(
    landing: Landing,
) -> None:
    landing.land(landing.driver(), 4)
    for name in ("raw.visits", QUARANTINE_TABLE):
        table = LandedTable(landing.catalog, name)
        table.load()
        table.restate({"visits": replace(table.offsets["visits"], topic_id=None)}, {})
    landing.die_between_the_commits(8)
    assert landing.driver().starts == {"visits": {0: 4}}


def test_a_record_judged_differently_the_second_time_lands_in_one_place(
    landing: Landing,
) -> None:
    landing.die_between_the_commits(8)
    landing.values[3] = b'{"page": "now it is good"}'
    landing.finish(landing.driver())
    assert 3 in landing.offsets(QUARANTINE_TABLE)
    assert 3 not in landing.offsets("raw.visits")


def test_an_unfinished_batch_that_is_landed_in_parts_stays_unfinished_until_the_last(
    landing: Landing,
) -> None:
    landing.die_between_the_commits(8)
    landing.values[1] = b'{"page": 1}'  # newly bad: the first part moves quarantine as well
    lander = landing.driver()
    landing.finish(lander, most=4)
    landing.land(lander, 10)
    assert landing.offsets("raw.visits") == [2, 4, 5, 7, 8]
    assert landing.offsets(QUARANTINE_TABLE) == [0, 1, 3, 6, 9]


def test_of_two_drivers_that_land_the_same_batch_one_is_told_to_start_anew(
    landing: Landing, tmp_path: Path
) -> None:
    first, second = landing.driver(), landing.driver()
    landing.land(first, 8)
    files = sorted(tmp_path.rglob("*.parquet"))
    with pytest.raises(TakenOverError):
        landing.land(second, 10)
    assert landing.holds_all_once(up_to=8)
    assert sorted(tmp_path.rglob("*.parquet")) == files


def test_a_foreign_commit_that_leaves_the_offsets_alone_is_no_conflict(landing: Landing) -> None:
    lander = landing.driver()
    landing.land(lander, 4)
    table = landing.table("raw.visits")
    commit_append(landing.catalog, table, [], {}, table.metadata.current_snapshot_id)
    landing.land(lander, 10)
    assert landing.holds_all_once()


def test_after_a_rollback_a_running_driver_starts_anew_and_lands_what_was_rolled_back(
    landing: Landing,
) -> None:
    lander = landing.driver()
    landing.land(lander, 2)
    first = landing.table("raw.visits").metadata.current_snapshot_id
    assert first is not None
    landing.land(lander, 8)
    landing.table("raw.visits").manage_snapshots().set_current_snapshot(first).commit()
    with pytest.raises(TakenOverError):
        landing.land(lander, 10)
    again = landing.driver()
    landing.finish(again)
    landing.land(again, 10)
    assert landing.holds_all_once()


def test_a_contract_that_is_not_applied_names_make_apply(
    lake_catalog: LakeCatalog, landing: Landing
) -> None:
    lake_catalog.drop_table("raw.visits")
    with pytest.raises(TableMissingError) as refused:
        landing.driver()
    assert refused.value.remedy == "make apply"
