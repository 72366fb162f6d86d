"""What gate and status read of the tables to find a replay that was rolled back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pyiceberg.table import DataScan

from millrace.contracts.names import QUARANTINE_TABLE
from millrace.lake import offsets
from millrace.landing import replayed
from millrace.landing.errors import FileMissingError
from millrace.landing.landed_table import LandedTable
from millrace.landing.status import measure
from tests.unit.landing.damage import expire_all_but_the_current, rewrite_quarantine, roll_back
from tests.unit.landing.replays import look, put_back

if TYPE_CHECKING:
    from tests.unit.landing.conftest import Landing


@pytest.mark.parametrize("name", [QUARANTINE_TABLE, "raw.visits"])
def test_a_table_without_its_files_is_named(landed: Landing, name: str) -> None:
    put_back(landed, 3)
    for task in landed.table(name).scan().plan_files():
        Path(task.file.file_path.removeprefix("file://")).unlink()
    with pytest.raises(FileMissingError, match=f"table {name}: a file of it is missing"):
        landed.driver()
    (found,) = measure(landed.catalog, landed, [landed.contract])
    assert found.partitions
    (problem,) = found.problems
    assert problem.text.startswith(f"table {name}: a file of it is missing")


def test_it_is_noticed_where_quarantine_keeps_no_snapshot_of_the_replay(landed: Landing) -> None:
    put_back(landed, 3)
    expire_all_but_the_current(landed, QUARANTINE_TABLE)
    rewrite_quarantine(landed)
    expire_all_but_the_current(landed, QUARANTINE_TABLE)
    roll_back(landed, "raw.visits", 1)
    assert look(landed) == ["bin/millrace quarantine replay visits:0:3"]


def test_it_is_noticed_of_more_records_than_a_condition_names(
    landed: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offsets, "NAMED", 1)
    put_back(landed, 3, 9)
    roll_back(landed, "raw.visits", 1)
    put_back(landed, 9)
    assert look(landed) == ["bin/millrace quarantine replay visits:0:3"]


def test_a_replay_before_all_that_is_kept_is_not_looked_for(
    landed: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_back(landed, 6)
    roll_back(landed, "raw.visits", 1)
    assert look(landed) != []
    quarantine = LandedTable(landed.catalog, QUARANTINE_TABLE)
    quarantine.load()
    found = replayed.recent_replays(quarantine.table, [landed.table("raw.visits")])
    assert found is not None
    assert found.num_rows == 1
    monkeypatch.setattr(replayed, "CLOCKS_DIFFER", -timedelta(hours=1))
    assert look(landed) == []
    replayed.require_replayed(landed.catalog, landed.contract, quarantine, found)


@pytest.mark.parametrize("looks", ["gate", "status"])
def test_a_replay_that_goes_on_meanwhile_is_no_rollback(
    landed: Landing, looks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lands and marks after raw was loaded and before quarantine is read."""
    load, waiting = LandedTable.load, [3]

    def late(table: LandedTable) -> None:
        if table.name == QUARANTINE_TABLE and waiting:
            put_back(landed, waiting.pop())
        load(table)

    monkeypatch.setattr(LandedTable, "load", late)
    if looks == "gate":
        landed.driver()
    else:
        (found,) = measure(landed.catalog, landed, [landed.contract])
        assert found.problems == ()
    assert 3 in landed.offsets("raw.visits")


def test_where_a_replay_may_have_expired_it_takes_one_scan_of_quarantine(
    landed: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    expire_all_but_the_current(landed, QUARANTINE_TABLE)
    plan, scanned = DataScan.plan_files, []

    def noted(scan: DataScan) -> object:
        tasks = list(plan(scan))
        scanned.append((scan.table_metadata.location.rsplit("/", 1)[1], len(tasks)))
        return tasks

    monkeypatch.setattr(DataScan, "plan_files", noted)
    landed.driver()
    assert scanned == [("quarantine", 0)]  # and it reads no file


def test_tables_are_read_only_where_there_was_a_replay(
    landed: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, scanned = DataScan.plan_files, []

    def noted(scan: DataScan) -> object:
        scanned.append(scan.table_metadata.location.rsplit("/", 1)[1])
        return plan(scan)

    monkeypatch.setattr(DataScan, "plan_files", noted)
    landed.driver()
    assert scanned == []
    put_back(landed, 3)
    scanned.clear()
    landed.driver()
    assert scanned == ["quarantine", "raw.visits"]
