"""What is counted of verdicts and said in notes."""

from __future__ import annotations

from typing import Any

RAW, QUARANTINE = "raw.visits", "raw.quarantine"


def test_a_bad_record_in_raw_is_counted(world: Any) -> None:
    world.drop(QUARANTINE, 3)
    world.put(RAW, [world.raw_row(world.log.rows[3])], 6)
    report = world.verify()
    assert report.ok
    assert any("1 rows of the raw table lack a column" in note for note in report.notes)


def test_a_tombstone_lacks_nothing(world: Any) -> None:
    assert not any("lack a column" in note for note in world.verify().notes)


def test_quarantined_rows_of_a_dataset_without_a_contract_are_said(world: Any) -> None:
    world.change(QUARANTINE, lambda rows: [*rows, {**rows[0], "dataset": "gone"}])
    assert any("gone (1)" in note for note in world.verify().notes)
