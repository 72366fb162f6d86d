"""What landing says when it stops: the thing, the cause and a command that can be pasted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from millrace.contracts.names import QUARANTINE_TABLE
from millrace.errors import MillraceError
from millrace.landing.errors import LandingTroubleError, OffsetsLostError, RowsOfAnotherLogError
from millrace.landing.positions import LogState

if TYPE_CHECKING:
    from tests.unit.landing.conftest import Landing

GOLDEN = Path(__file__).parents[2] / "golden" / "errors"


def aged_out(landing: Landing) -> None:
    landing.log = LogState("id-1", {0: 6}, {0: 10})


def recreated(landing: Landing) -> None:
    landing.log = LogState("id-2", {0: 0}, {0: 10})


def ahead(landing: Landing) -> None:
    landing.log = LogState("id-1", {0: 0}, {0: 2})


def quarantine_gone(landing: Landing) -> None:
    """And no snapshot is kept from before, to which raw could be rolled back."""
    table = landing.table("raw.visits")
    former = table.metadata.snapshots[0].snapshot_id
    assert former != table.metadata.current_snapshot_id
    table.maintenance.expire_snapshots().by_id(former).commit()
    landing.catalog.drop_table(QUARANTINE_TABLE)
    landing.create_quarantine()


def not_applied(landing: Landing) -> None:
    landing.contract = replace(landing.contract, dataset="trips")


@pytest.mark.parametrize(
    ("damage", "golden"),
    [
        (aged_out, "landing_aged_out"),
        (recreated, "landing_recreated"),
        (ahead, "landing_ahead"),
        (quarantine_gone, "landing_quarantine_gone"),
        (not_applied, "landing_not_applied"),
    ],
)
def test_the_gate_refuses_with_the_recorded_text(
    landing: Landing, damage: Callable[[Landing], None], golden: str
) -> None:
    landing.land(landing.driver(), 4)
    damage(landing)
    with pytest.raises(MillraceError) as refused:
        landing.driver()
    assert f"error: {refused.value}\n" == (GOLDEN / f"{golden}.txt").read_text()


@pytest.mark.parametrize(
    ("error", "golden"),
    [
        (OffsetsLostError("raw.visits"), "landing_offsets_lost"),
        (RowsOfAnotherLogError("raw.visits", "visits", 0, 8), "landing_other_log"),
        (LandingTroubleError(["the first", "the second"], "make apply"), "landing_trouble"),
    ],
)
def test_other_stops_have_their_recorded_text(error: MillraceError, golden: str) -> None:
    assert f"error: {error}\n" == (GOLDEN / f"{golden}.txt").read_text()
