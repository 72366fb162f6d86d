"""The status of tables and topics, each problem with the command that mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from millrace.contracts.names import QUARANTINE_TABLE
from millrace.landing.positions import LogState
from millrace.landing.status import PartitionStatus, TopicStatus, duration, measure

if TYPE_CHECKING:
    from tests.unit.landing.conftest import Landing

HOUR_S = 3600.0
#: An hour after the record at offset 4.
NOW_S = HOUR_S + 0.004


def status(landing: Landing, now: float = NOW_S) -> TopicStatus:
    (found,) = measure(landing.catalog, landing, [landing.contract], lambda: now)
    return found


def test_it_tells_what_table_and_log_hold_and_the_lag_in_records_and_seconds(
    landing: Landing,
) -> None:
    landing.land(landing.driver(), 4)
    found = status(landing)
    (partition,) = found.partitions
    assert partition == PartitionStatus(0, 4, 0, 10, 6, partition.behind_s)
    assert partition.behind_s == pytest.approx(HOUR_S)
    assert (found.rows, found.behind, found.problems) == (2, 6, ())


def test_a_table_that_has_everything_is_not_behind(landing: Landing) -> None:
    landing.land(landing.driver(), 10)
    found = status(landing)
    assert (found.behind, found.behind_s, found.problems) == (0, 0.0, ())


def test_a_topic_that_was_never_landed_is_behind_by_all_that_its_log_keeps(
    landing: Landing,
) -> None:
    landing.log = LogState("id-1", {0: 3}, {0: 10})
    found = status(landing)
    assert (found.partitions[0].landed, found.behind, found.rows) == (None, 7, 0)


@pytest.mark.parametrize(("retention_h", "warned"), [(1.9, True), (2.1, False), (None, False)])
def test_a_record_that_waits_for_more_than_half_of_the_retention_is_a_warning(
    landing: Landing, retention_h: float | None, warned: bool
) -> None:
    landing.retention_s = retention_h and retention_h * HOUR_S
    landing.land(landing.driver(), 4)
    problems = status(landing).problems
    assert bool(problems) is warned
    assert all("1.0 h old, and the topic keeps records for 1.9 h" in p.text for p in problems)


@pytest.mark.parametrize(
    ("log", "says", "remedy"),
    [
        (LogState("id-1", {0: 6}, {0: 10}), "offsets 4 to 5", "landing reset visits"),
        (LogState("id-2", {0: 0}, {0: 10}), "created again", "landing reset visits"),
        (LogState("id-1", {0: 0}, {0: 2}), "the log ends at 2", "landing reset visits"),
    ],
)
def test_what_the_gate_refuses_for_is_a_problem(
    landing: Landing, log: LogState, says: str, remedy: str
) -> None:
    landing.land(landing.driver(), 4)
    landing.log = log
    (problem,) = status(landing).problems
    assert says in problem.text
    assert problem.remedy == f"bin/millrace {remedy}"


def test_a_table_that_is_not_there_hides_no_other_topic(landing: Landing) -> None:
    landing.catalog.drop_table("raw.visits")
    found = status(landing)
    assert [problem.remedy for problem in found.problems] == ["make apply"]
    assert found.partitions == ()


def test_a_topic_that_is_not_there_is_a_problem(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landing, "topic_ids", lambda topics: {})
    (problem,) = status(landing).problems
    assert "the broker has no such topic" in problem.text


def test_a_quarantine_made_anew_is_a_problem(landing: Landing) -> None:
    landing.land(landing.driver(), 4)
    landing.catalog.drop_table(QUARANTINE_TABLE)
    landing.create_quarantine()
    (problem,) = status(landing).problems
    assert "it was rolled back" in problem.text


def test_durations_are_in_the_greatest_unit_that_fits() -> None:
    assert [duration(s) for s in (3.21, 7200, 3 * 86400)] == ["3.2 s", "2.0 h", "3.0 d"]
