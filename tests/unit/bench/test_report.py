"""Figures follow from what was measured; a contestant that was wrong has none."""

from __future__ import annotations

import json
import math

import pytest

from millrace.bench.commits import Commit, Drain
from millrace.bench.report import Freshness, Report, Turn

TURN = Turn(
    "millrace",
    "Millrace landing",
    load=1.5,
    verdict="1,000 rows, each of them once",
    rows=1_000,
    bytes=370_000,
    commits=2,
    first_s=8.0,
    wall_s=10.0,
    steady_s=2.0,
    steady_rows=600,
    cpu_s=5.0,
    steady_cpu_s=0.6,
)
WRONG = Turn("spark", "Spark", load=2.0, failed="999 rows: 1 lost (7, ...)")
SLOW = Freshness(30_000, 10, 5.0, 2, 1, 1.25, math.inf, (1, 2, 3), 4.0)


def test_a_drain_is_told_with_and_without_its_start() -> None:
    drain = Drain(100.0, [Commit(110.0, 400), Commit(111.0, 300), Commit(114.0, 300)])
    assert (drain.rows, drain.first_s, drain.wall_s) == (1_000, 10.0, 14.0)
    assert (drain.steady_rows, drain.steady_s) == (600, 4.0)


def test_rates_are_of_the_whole_and_between_the_commits() -> None:
    figures = TURN.figures
    assert figures["rows_per_s"] == 100
    assert figures["mb_per_s"] == pytest.approx(0.037)
    assert figures["steady_rows_per_s"] == 300
    assert figures["steady_mb_per_s"] == pytest.approx(0.111)
    assert figures["cpu_s_per_million"] == 5_000
    assert figures["steady_cpu_s_per_million"] == pytest.approx(1_000)


def test_one_commit_alone_has_no_rate_between_commits() -> None:
    once = Turn("x", "X", load=0, rows=10, bytes=100, commits=1, first_s=1, wall_s=1, cpu_s=1)
    assert once.figures["steady_rows_per_s"] is None
    assert once.figures["steady_cpu_s_per_million"] is None


def test_a_contestant_that_was_wrong_gets_no_number() -> None:
    report = Report("now", {}, [TURN, WRONG])
    assert not report.is_right
    (line,) = [line for line in report.lines() if line.startswith("| Spark")]
    assert "no number: 999 rows: 1 lost (7, ...)" in line
    assert line.count("|") == TURN_CELLS
    entries = json.loads(report.to_json())["turns"]
    assert entries[0]["figures"]["rows_per_s"] == 100
    assert entries[1]["figures"] is None


TURN_CELLS = 13


def test_the_table_has_as_many_cells_in_each_line() -> None:
    head, rule, line, *_ = Report("now", {}, [TURN]).lines()
    assert {each.count("|") for each in (head, rule, line)} == {TURN_CELLS}
    assert "| 300 | 0.1 |" in line


def test_what_was_never_visible_is_said_so_and_null_in_json() -> None:
    report = Report("now", {}, [TURN], [SLOW])
    head, rule, line = report.lines()[-5:-2]
    assert head.count("|") == rule.count("|") == line.count("|")
    assert "| never |" in line
    assert "1 <= 2 <= 3" in line
    assert json.loads(report.to_json())["freshness"][0]["p99_s"] is None


def test_a_failure_of_freshness_is_told() -> None:
    report = Report("now", {}, [TURN], failures=["freshness: Trino: away"])
    assert not report.is_right
    assert "failed: freshness: Trino: away" in report.lines()
