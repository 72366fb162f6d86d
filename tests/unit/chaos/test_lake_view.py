"""What counts as a commit of a driver."""

from __future__ import annotations

from collections.abc import Mapping

from pyiceberg.table.snapshots import Operation, Snapshot, Summary

from millrace.chaos.lake_view import writers_of
from millrace.landing.landed_table import WRITER_KEY

ROWS = {"added-records": "3"}


def snapshot(number: int, summary: Mapping[str, str]) -> Snapshot:
    return Snapshot(
        snapshot_id=number,
        sequence_number=number,
        timestamp_ms=number,
        manifest_list="",
        summary=Summary(Operation.APPEND, **summary),
    )


def test_a_commit_without_rows_or_without_an_application_does_not_count() -> None:
    kept = [
        snapshot(1, {WRITER_KEY: "application_1", **ROWS}),
        snapshot(2, {WRITER_KEY: "application_2"}),
        snapshot(3, ROWS),
    ]
    assert writers_of(kept) == {1: "application_1"}
