"""A raw table that was rolled back behind a replay, which its offsets do not tell."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from pyiceberg.table import DataScan

import millrace.cli.landing as command
from millrace.contracts.model import Field
from millrace.contracts.names import QUARANTINE_TABLE
from millrace.landing import replayed
from millrace.landing.errors import FileMissingError, ReplayRolledBackError
from millrace.landing.landed_table import LandedTable
from millrace.landing.positions import LogState
from millrace.landing.reset import reset_offsets
from millrace.landing.status import measure
from millrace.quarantine.records import Position, Selection
from millrace.quarantine.replay import Replay
from tests.unit.landing.damage import roll_back

if TYPE_CHECKING:
    from tests.unit.landing.conftest import Landing

GOLDEN = Path(__file__).parents[2] / "golden" / "errors"
NO_SCHEMAS = SimpleNamespace(by_id=lambda *_: None)


def put_back(landing: Landing, *offsets: int) -> None:
    """What `bin/millrace quarantine replay` does with these positions."""
    positions = tuple(Position("visits", 0, offset) for offset in offsets)
    replay = Replay(landing.catalog, {"visits": landing.contract}, NO_SCHEMAS)
    replay.run(Selection(positions=positions), lambda line: None)


def look(landing: Landing) -> list[str]:
    """What the status says is wrong; the gate has to agree."""
    (found,) = measure(landing.catalog, landing, [landing.contract])
    if not found.problems:
        landing.driver()
        return []
    with pytest.raises(ReplayRolledBackError) as refused:
        landing.driver()
    said = [(f"{refused.value.thing}: {refused.value.cause}", refused.value.remedy)]
    assert [(each.text, each.remedy) for each in found.problems] == said
    return [refused.value.remedy]


@pytest.fixture
def landed(landing: Landing) -> Landing:
    """Ten records of today in two batches; those in quarantine, 0, 3, 6 and 9, are good now."""
    landing.stamp = int(time.time() * 1000) - 1000
    lander = landing.driver()
    for high in (5, 10):
        landing.land(lander, high)
    landing.contract = replace(landing.contract, fields=(Field("page", "string"),))
    return landing


def test_a_quarantine_without_one_of_its_files_is_named(landed: Landing) -> None:
    put_back(landed, 3)
    for task in landed.table(QUARANTINE_TABLE).scan().plan_files():
        Path(task.file.file_path.removeprefix("file://")).unlink()
    with pytest.raises(FileMissingError, match=r"table raw.quarantine: a file of it is missing"):
        landed.driver()


def test_it_stops_landing_until_the_records_are_replayed_again(landed: Landing) -> None:
    put_back(landed, 3, 6)
    roll_back(landed, "raw.visits", 1)
    (remedy,) = look(landed)
    assert remedy == "bin/millrace quarantine replay visits:0:3 visits:0:6"
    put_back(landed, *(Position.parse(each).offset for each in remedy.split()[3:]))
    assert look(landed) == []
    assert landed.offsets("raw.visits") == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_record_that_has_become_bad_again_is_open_again(landed: Landing) -> None:
    put_back(landed, 3)
    roll_back(landed, "raw.visits", 1)
    landed.contract = replace(landed.contract, fields=(Field("page", "string", required=True),))
    assert look(landed) != []
    put_back(landed, 3)
    assert look(landed) == []
    rows = landed.table(QUARANTINE_TABLE).scan().to_arrow().to_pylist()
    assert {row["status"] for row in rows} == {"open"}


def test_a_record_of_a_former_topic_at_its_position_does_not_pass_for_it(landed: Landing) -> None:
    now = landed.contract
    landed.contract = replace(now, fields=(Field("page", "string", required=True),))
    landed.write_log_anew(LogState("id-2", {0: 0}, {0: 10}))
    reset_offsets(landed.catalog, landed.contract, landed)
    landed.values[2] = b"{}"  # it was good in the former topic, and is in raw
    landed.land(landed.driver(), 10)
    landed.contract = now
    put_back(landed, 2)
    roll_back(landed, "raw.visits", 1)
    assert look(landed) == ["bin/millrace quarantine replay visits:0:2"]
    put_back(landed, 2)
    assert look(landed) == []


def test_a_reset_mends_nothing_and_says_so(
    landed: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_back(landed, 3)
    roll_back(landed, "raw.visits", 1)
    monkeypatch.setattr(command, "load_contracts", lambda: {"visits": landed.contract})
    monkeypatch.setattr(command, "Yarn", lambda _: SimpleNamespace(landing=list))
    monkeypatch.setattr(command, "Broker", lambda _: landed)
    monkeypatch.setattr(command, "catalog", lambda: landed.catalog)
    before = landed.table("raw.visits").metadata
    done = CliRunner().invoke(command.reset, ["visits", "--yes"])
    assert isinstance(done.exception, ReplayRolledBackError)
    assert landed.table("raw.visits").metadata == before


def nothing(landing: Landing) -> None:
    """The replay is in raw."""


def back_to_the_batch_before(landing: Landing) -> None:
    """The replayed record is at or above the landed end."""
    roll_back(landing, "raw.visits", 2)


def back_past_retention(landing: Landing) -> None:
    """Its record is as old as what may be deleted."""
    with landing.table("raw.visits").transaction() as change:
        change.set_properties({"millrace.retention-days": "-1"})
    roll_back(landing, "raw.visits", 1)


def anew_in_raw(landing: Landing) -> None:
    """The topic was made anew, and raw holds its record there: no replay can land there."""
    roll_back(landing, "raw.visits", 1)
    landing.write_log_anew(LogState("id-2", {0: 0}, {0: 10}))
    reset_offsets(landing.catalog, landing.contract, landing)
    landing.land(landing.driver(), 10)


def anew_in_quarantine(landing: Landing) -> None:
    """The same, and its record there is bad."""
    landing.values[6] = b"{"
    anew_in_raw(landing)


def anew_in_neither(landing: Landing) -> None:
    """The same, and the log has no record there: a marker of a transaction."""
    roll_back(landing, "raw.visits", 1)
    landing.write_log_anew(LogState("id-2", {0: 0}, {0: 10}))
    reset_offsets(landing.catalog, landing.contract, landing)
    lander = landing.driver()
    landing.land(lander, 5)
    lander.commit({"visits": {0: (5, 10)}}, [])


@pytest.mark.parametrize(
    "damage",
    [
        nothing,
        back_to_the_batch_before,
        back_past_retention,
        anew_in_raw,
        anew_in_quarantine,
        anew_in_neither,
    ],
)
def test_what_is_there_or_lands_by_itself_or_can_not_be_stops_nothing(
    landed: Landing, damage: Callable[[Landing], None]
) -> None:
    put_back(landed, 6)
    damage(landed)
    assert look(landed) == []


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


@pytest.mark.parametrize(
    ("places", "golden"),
    [
        ([(0, 17)], "landing_replay_rolled_back"),
        ([(0, offset) for offset in range(17, 41)] + [(1, 2)], "landing_replays_rolled_back"),
    ],
)
def test_the_stop_has_its_recorded_text(places: list[tuple[int, int]], golden: str) -> None:
    error = ReplayRolledBackError("visits", "visits", "raw.visits", places)
    assert f"error: {error}\n" == (GOLDEN / f"{golden}.txt").read_text()
