"""The holes of the usual way (a checkpoint beside the table, query and epoch ids in summaries)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from millrace.contracts.model import Field
from millrace.contracts.names import QUARANTINE_TABLE
from millrace.landing.errors import (
    OffsetsLostError,
    QuarantineBehindError,
    TopicMissingError,
    TopicRecreatedError,
)
from millrace.landing.lag import LagMeter
from millrace.landing.positions import LogState
from millrace.landing.reset import reset_offsets
from tests.unit.landing.damage import (
    GOOD,
    age_out,
    expire,
    expire_all_but_the_current,
    foreign_commit,
    replay,
    rewrite_quarantine,
    roll_back,
)

if TYPE_CHECKING:
    from tests.unit.landing.conftest import Landing


def land_the_rest(landing: Landing) -> None:
    """A new driver lands what is left of the log."""
    lander = landing.driver()
    landing.finish(lander)
    landing.land(lander, 10)


def test_records_of_a_topic_made_anew_do_not_pass_for_landed(landing: Landing) -> None:
    land_the_rest(landing)
    meter = LagMeter(landing.catalog, landing, [landing.contract])
    assert [lag.behind for lag in meter.measure()] == [0]
    landing.write_log_anew(LogState("id-2", {0: 0}, {0: 5}))
    with pytest.raises(TopicRecreatedError):
        meter.measure()


@pytest.mark.parametrize("name", ["raw.visits", QUARANTINE_TABLE])
def test_an_ancestry_that_an_expiry_cut_behind_a_foreign_commit_stops_with_the_mending_command(
    landing: Landing, name: str
) -> None:
    landing.land(landing.driver(), 8)
    foreign_commit(landing, name)
    landing.driver()  # the ancestor still tells
    expire_all_but_the_current(landing, name)
    with pytest.raises(OffsetsLostError, match=re.escape(name)) as lost:
        landing.driver()
    assert lost.value.remedy == "bin/millrace landing rebuild"


def test_a_running_driver_stops_too_when_its_history_is_cut(
    landing: Landing, tmp_path: Path
) -> None:
    lander = landing.driver()
    landing.land(lander, 4)
    foreign_commit(landing, "raw.visits")
    expire_all_but_the_current(landing, "raw.visits")
    with pytest.raises(OffsetsLostError):
        landing.land(lander, 6)
    assert landing.offsets("raw.visits") == [1, 2]
    assert len(list((tmp_path / "raw.visits").rglob("*.parquet"))) == 1


def test_our_own_rewrites_and_an_expiry_behind_them_leave_the_offsets(landing: Landing) -> None:
    landing.land(landing.driver(), 8)
    rewrite_quarantine(landing)
    expire_all_but_the_current(landing, QUARANTINE_TABLE)
    land_the_rest(landing)
    assert landing.holds_all_once()


def test_a_raw_table_that_is_rolled_back_while_nothing_lands_is_landed_again_once(
    landing: Landing,
) -> None:
    lander = landing.driver()
    for high in (4, 8, 10):
        landing.land(lander, high)
    roll_back(landing, "raw.visits", 2)
    land_the_rest(landing)
    assert landing.holds_all_once()


def test_a_quarantine_that_is_rolled_back_is_noticed_and_mended_by_rolling_raw_back(
    landing: Landing,
) -> None:
    lander = landing.driver()
    for high in (2, 5, 6, 8):  # 6 lands without a bad record, so quarantine stays at 5
        landing.land(lander, high)
    roll_back(landing, QUARANTINE_TABLE, 1)
    with pytest.raises(
        QuarantineBehindError, match="up to offset 8 and now has them up to 5"
    ) as no:
        landing.driver()
    told = re.search(
        r"ALTER TABLE raw.visits EXECUTE rollback_to_snapshot\((\d+)\)", no.value.remedy
    )
    assert told is not None
    snapshot = int(told[1])
    landing.table("raw.visits").manage_snapshots().set_current_snapshot(snapshot).commit()
    assert landing.driver().starts == {"visits": {0: 6}}
    land_the_rest(landing)
    assert landing.holds_all_once()


def test_a_quarantine_that_is_rolled_back_to_a_topic_that_is_gone_is_noticed(
    landing: Landing,
) -> None:
    landing.land(landing.driver(), 10)
    landing.write_log_anew(LogState("id-2", {0: 0}, {0: 10}))
    reset_offsets(landing.catalog, landing.contract, landing)
    landing.land(landing.driver(), 5)
    roll_back(landing, QUARANTINE_TABLE, 1)  # ends at 10 there, but of the old topic
    with pytest.raises(QuarantineBehindError, match="up to offset 5 and now has them up to 0"):
        landing.driver()


@pytest.mark.parametrize("lose", [expire, age_out])
def test_a_quarantine_whose_rows_nothing_brings_back_asks_for_the_reset_that_accepts_it(
    landing: Landing, lose: Callable[[Landing, str, int], None]
) -> None:
    landing.land(landing.driver(), 8)
    before_landing = landing.table("raw.visits").metadata.snapshots[0].snapshot_id
    landing.catalog.drop_table(QUARANTINE_TABLE)
    landing.create_quarantine()
    with pytest.raises(QuarantineBehindError) as behind:
        landing.driver()
    assert behind.value.remedy.endswith(f'rollback_to_snapshot({before_landing})"')
    lose(landing, "raw.visits", before_landing)
    with pytest.raises(QuarantineBehindError) as behind:
        landing.driver()
    assert behind.value.remedy == "bin/millrace landing reset visits"
    reset_offsets(landing.catalog, landing.contract, landing)
    land_the_rest(landing)
    assert (landing.offsets("raw.visits"), landing.offsets(QUARANTINE_TABLE)) == (
        [1, 2, 4, 5, 7, 8],
        [9],
    )


def test_a_corrected_contract_after_a_crash_between_the_commits_doubles_no_record(
    landing: Landing,
) -> None:
    landing.die_between_the_commits(8)  # quarantines 0, 3, 6
    landing.contract = replace(landing.contract, fields=(Field("page", "string"),))
    land_the_rest(landing)
    assert landing.offsets(QUARANTINE_TABLE) == [0, 3, 6]
    assert landing.offsets("raw.visits") == [1, 2, 4, 5, 7, 8, 9]


def test_a_record_that_is_replayed_before_its_batch_is_finished_lands_once(
    landing: Landing,
) -> None:
    landing.die_between_the_commits(8)
    replay(landing, 3)
    land_the_rest(landing)
    assert landing.offsets("raw.visits") == [1, 2, 3, 4, 5, 7, 8]


def test_a_replayed_record_lands_again_when_its_raw_table_is_rolled_back(landing: Landing) -> None:
    lander = landing.driver()
    for high in (2, 10):
        landing.land(lander, high)
    replay(landing, 3)
    roll_back(landing, "raw.visits", 2)
    land_the_rest(landing)
    assert landing.offsets("raw.visits") == [1, 2, 3, 4, 5, 7, 8]


def test_a_record_replayed_with_a_corrected_value_gets_no_second_row_in_quarantine(
    landing: Landing,
) -> None:
    lander = landing.driver()
    for high in (2, 10):
        landing.land(lander, high)
    replay(landing, 3)
    landing.values[3] = b"{}"  # as it was sent, and is still in the log
    roll_back(landing, "raw.visits", 2)
    land_the_rest(landing)
    assert landing.offsets("raw.visits") == [1, 2, 4, 5, 7, 8]
    assert landing.offsets(QUARANTINE_TABLE) == [0, 3, 6, 9]


def test_rows_of_a_topic_that_is_gone_are_not_taken_for_new_ones_after_a_rewrite_mixed_them(
    landing: Landing,
) -> None:
    landing.land(landing.driver(), 10)  # quarantines 0, 3, 6, 9 of the old topic
    landing.write_log_anew(LogState("id-2", {0: 0}, {0: 10}))
    landing.values = {**dict.fromkeys(range(10), GOOD), 1: b"{}"}
    reset_offsets(landing.catalog, landing.contract, landing)
    landing.die_between_the_commits(8)
    rewrite_quarantine(landing)
    expire_all_but_the_current(landing, QUARANTINE_TABLE)
    landing.finish(landing.driver())
    rows = landing.table("raw.visits").scan().to_arrow().to_pylist()
    new = sorted(row["kafka_offset"] for row in rows if row["page"] == "new")
    assert new == [0, 2, 3, 4, 5, 6, 7]
    assert landing.offsets(QUARANTINE_TABLE) == [0, 1, 3, 6, 9]


def test_a_topic_that_is_made_anew_and_refilled_between_two_batches_is_not_landed_on(
    landing: Landing, tmp_path: Path
) -> None:
    lander = landing.driver()
    landing.land(lander, 4)
    files = sorted(tmp_path.rglob("*.parquet"))
    landing.write_log_anew(LogState("id-2", {0: 0}, {0: 10}))
    with pytest.raises(TopicRecreatedError, match="id-1 is now id-2"):
        landing.land(lander, 10)
    assert landing.holds_all_once(up_to=4)
    assert sorted(tmp_path.rglob("*.parquet")) == files


def test_a_topic_that_is_gone_is_named(landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    lander = landing.driver()
    monkeypatch.setattr(landing, "topic_ids", lambda topics: {})
    with pytest.raises(TopicMissingError, match="topic visits"):
        landing.land(lander, 4)


def test_the_files_of_a_repeated_batch_share_no_name_with_those_that_are_committed(
    landing: Landing,
) -> None:
    lander = landing.driver()
    job = lander.job()
    first, again = landing.sift(0, 10, job), landing.sift(0, 10, job)
    lander.commit({"visits": {0: (0, 10)}}, first)
    assert not {file.path for file in first} & {file.path for file in again}
    assert landing.holds_all_once()
