"""A raw table that was rolled back behind a replay, which its offsets do not tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

import millrace.cli.landing as command
from millrace.contracts.model import Field
from millrace.contracts.names import QUARANTINE_TABLE
from millrace.landing.errors import ReplayRolledBackError
from millrace.landing.positions import LogState
from millrace.landing.reset import reset_offsets
from millrace.quarantine.records import Position
from tests.unit.landing.damage import roll_back
from tests.unit.landing.replays import look, put_back

if TYPE_CHECKING:
    from tests.unit.landing.conftest import Landing

GOLDEN = Path(__file__).parents[2] / "golden" / "errors"


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
