"""Raw to processed on real Iceberg tables: whatever is read twice changes nothing."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest

from spark_jobs.batch import iceberg, merge
from spark_jobs.batch.build_processed import Builder, Options


def at(day: int) -> datetime:
    return datetime(2026, 1, day, tzinfo=UTC)


def test_the_latest_state_is_kept_and_its_lines_follow_it(lake: Any) -> None:
    lake.land(
        ("A", "P1", at(1), [(1, "pen"), (2, "ink")]),
        # The same basket later in the same snapshot, with a line less.
        ("A", "P1", at(3), [(1, "pen")]),
        ("B", "P2", at(2), [(1, "cup")]),
    )
    first = lake.build()
    assert [outcome.merged for outcome in first] == [
        {"inserted": 2, "updated": 0, "deleted": 0},
        {"inserted": 2, "updated": 0, "deleted": 0},
    ]
    assert "the first time" in str(first[0])
    lake.land(
        # An old state that is told late changes nothing.
        ("A", "P1", at(2), [(1, "pencil"), (7, "stale")]),
        # A new state: one line changed, one gone, one new.
        ("B", "P2", at(5), [(2, "tea"), (3, "milk")]),
        ("C", "P3", at(4), []),
    )
    second = lake.build()
    assert [outcome.reading.rows for outcome in second] == [3, 3]
    assert not second[0].reading.why
    # One commit a run, and the commit itself says what was read.
    for outcome in second:
        session = lake.spark.newSession()
        loaded = iceberg.java_table(session, outcome.table.identifier)
        assert iceberg.ancestors(session, loaded)[:1] == [outcome.snapshot]
        assert len(iceberg.ancestors(session, loaded)) == 2
        name = lake.contract.raw_table
        assert iceberg.read_up_to(session, loaded, name) == lake.raw_snapshot()
    assert lake.rows(0, "id, day(at)") == {("A", 3), ("B", 5), ("C", 4)}
    assert lake.rows(1, "id, n, what") == {("A", 1, "pen"), ("B", 2, "tea"), ("B", 3, "milk")}


def test_what_lands_during_a_run_is_left_to_the_next(lake: Any) -> None:
    lake.land(("A", "P1", at(1), [(1, "pen")]))
    start = lake.raw_snapshot()
    lake.land(("B", "P1", at(1), [(1, "cup")]))
    lake.build(up_to=start)
    # Lines of a basket that its own table does not have yet would fail the quality gate.
    assert lake.rows(0, "id") == lake.rows(1, "id") == {("A",)}
    lake.build()
    assert lake.rows(0, "id") == lake.rows(1, "id") == {("A",), ("B",)}
    # A run that was overtaken by another one reads nothing.
    assert [outcome.snapshot for outcome in lake.build(up_to=start)] == [None, None]


def test_a_basket_without_lines_is_not_filled_by_an_older_state(lake: Any) -> None:
    lake.land(("A", "P1", at(5), []))
    lake.build()
    # Only the row of the basket itself knows that a newer state had none.
    lake.land(("A", "P1", at(1), [(1, "pen")]))
    lake.build()
    assert lake.rows(1, "id, n") == set()


def test_reading_again_changes_no_row_and_says_so(lake: Any) -> None:
    lake.land(("A", "P1", at(1), [(1, "pen")]), ("B", "P1", at(1), [(1, "cup")]))
    lake.build()
    before = lake.rows(0, "*"), lake.rows(1, "*")
    # Killed between the commit and its exit, then started again.
    assert all(outcome.snapshot is None for outcome in lake.build())
    # Made to read everything: rows are compared, none is newer.
    again = lake.build(full=True)
    assert [outcome.merged for outcome in again] == [
        {"inserted": 0, "updated": 0, "deleted": 0},
        {"inserted": 0, "updated": 0, "deleted": 0},
    ]
    assert (lake.rows(0, "*"), lake.rows(1, "*")) == before


def test_a_record_that_is_sent_again_changes_only_where_the_row_came_from(lake: Any) -> None:
    lake.land(("A", "P1", at(1), [(1, "pen")]))
    lake.build()
    content = "id, owner_id, at, processed_at"
    before = lake.rows(0, content), lake.rows(1, "id, n, what, processed_at")
    lake.land(("A", "P1", at(1), [(1, "pen")]))
    lake.build()
    assert (lake.rows(0, content), lake.rows(1, "id, n, what, processed_at")) == before
    assert lake.rows(0, "source_offset") == {(1,)}


def test_a_compaction_of_raw_between_two_runs_is_not_read(lake: Any) -> None:
    lake.land(("A", "P1", at(1), []))
    lake.land(("B", "P1", at(1), []))
    lake.build(lines=False)
    lake.spark.newSession().sql(
        f"CALL iceberg.system.rewrite_data_files(table => '{lake.contract.raw_table}', "
        "options => map('min-input-files', '2'))"
    )
    lake.land(("C", "P1", at(1), []))
    outcome = lake.build(lines=False)[0]
    assert (outcome.reading.rows, outcome.reading.why) == (1, "")
    assert lake.rows(0, "id") == {("A",), ("B",), ("C",)}


def test_a_raw_table_that_was_rolled_back_is_read_whole(lake: Any) -> None:
    lake.land(("A", "P1", at(1), []))
    kept = lake.raw_snapshot()
    lake.land(("B", "P1", at(1), []))
    lake.build(lines=False)
    lake.spark.newSession().sql(
        f"CALL iceberg.system.rollback_to_snapshot('{lake.contract.raw_table}', {kept})"
    )
    lake.land(("C", "P1", at(1), []))
    outcome = lake.build(lines=False)[0]
    assert "no ancestor" in outcome.reading.why
    assert lake.rows(0, "id") >= {("A",), ("C",)}


def test_rows_that_were_rewritten_in_raw_are_read_whole(lake: Any) -> None:
    lake.land(("A", "P1", at(1), []), ("B", "P1", at(1), []))
    lake.build(lines=False)
    name = lake.contract.raw_table
    lake.spark.newSession().sql(f"DELETE FROM {name} WHERE id = 'A'")
    outcome = lake.build(lines=False)[0]
    assert (outcome.reading.rows, outcome.reading.why) == (1, "rows were rewritten since")


def test_a_commit_beside_the_run_is_noticed_and_the_run_repeated(
    lake: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lake.land(("A", "P1", at(1), [(1, "pen"), (2, "ink")]))
    lake.build()
    lake.land(("A", "P1", at(2), [(1, "pencil")]))
    real, tries = merge._merge, itertools.count()

    def late(rows: Any, table: Any) -> None:
        """The first try finds that another run has been faster, after it had read the table."""
        if table.child is not None and next(tries) == 0:
            lake.land(("A", "P1", at(3), [(9, "glue")]))
            with monkeypatch.context() as undone:
                undone.setattr(merge, "_merge", real)
                lake.build()
        real(rows, table)

    monkeypatch.setattr(merge, "_merge", late)
    assert Builder(lake.spark, Options()).build(lake.tables) == []
    # The slower run's lines of the older state were not written over the newer one's.
    assert lake.rows(1, "id, n, what") == {("A", 9, "glue")}
    assert "_lines is merged again after" in caplog.text
    assert "ValidationException" in caplog.text
