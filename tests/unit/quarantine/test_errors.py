"""What the commands of quarantine say when they refuse, word by word."""

from __future__ import annotations

from pathlib import Path

import pytest

from millrace.errors import MillraceError
from millrace.quarantine import errors
from millrace.quarantine.records import Position

GOLDEN = Path(__file__).parents[2] / "golden" / "errors"
HERE = Position("orders", 0, 123)
MANY = [Position("orders", 1, offset) for offset in range(7)]

SAID: dict[str, MillraceError] = {
    "quarantine_not_there": errors.NotQuarantinedError(HERE),
    "quarantine_not_landed_yet": errors.NotLandedYetError(MANY),
    "quarantine_position_taken": errors.PositionTakenError([HERE]),
    "quarantine_still_bad": errors.StillBadError(
        "mended.json", "orders", "out_of_range", "total_cents is -1, not 0 or more"
    ),
    "quarantine_bad_value_file": errors.ValueFileError("mended.json", "it is empty"),
    "quarantine_in_raw": errors.InRawError([HERE]),
    "quarantine_busy": errors.BusyError("raw.orders"),
    "quarantine_turned_bad": errors.TurnedBadError(
        ["orders: 60 of 200 records are bad (30.0 %, at most 5 %)"]
    ),
    "quarantine_fenced": errors.FencedError("orders.dlq"),
}


@pytest.mark.parametrize("golden", SAID)
def test_a_refusal_is_said_in_these_words(golden: str) -> None:
    assert f"error: {SAID[golden]}\n" == (GOLDEN / f"{golden}.txt").read_text()
