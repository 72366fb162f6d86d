"""Discarded records stay in quarantine, with the reason, and are left in peace."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from millrace.contracts.names import QUARANTINE_TABLE
from millrace.quarantine import replay as replay_module
from millrace.quarantine.counts import shares
from millrace.quarantine.discard import discard
from millrace.quarantine.errors import InRawError, NotQuarantinedError
from millrace.quarantine.marks import mark
from millrace.quarantine.records import Position, Selection

if TYPE_CHECKING:
    from tests.unit.quarantine.conftest import Bed


def at(*offsets: int) -> Selection:
    positions = tuple(Position("visits", 0, offset) for offset in offsets)
    return Selection(statuses=("open",), positions=positions)


def settle(bed: Bed, selection: Selection) -> int:
    return discard(bed.catalog, {"visits": bed.contract}, selection, "a test's own")


def test_a_discarded_record_says_why_and_is_not_replayed_with_the_others(corrected: Bed) -> None:
    assert settle(corrected, at(0, 6)) == 2
    row = corrected.rows(QUARANTINE_TABLE)[0]
    assert (row["status"], row["resolution"]) == ("discarded", "a test's own")
    assert row["resolved_at"] > row["quarantined_at"]
    assert corrected.replay().landed == 2
    assert corrected.states_of() == {0: "discarded", 3: "replayed", 6: "discarded", 9: "replayed"}
    assert 0 not in corrected.raw()


def test_a_discarded_record_that_is_named_is_replayed(corrected: Bed) -> None:
    settle(corrected, at(0))
    assert corrected.replay(0).landed == 1
    assert (corrected.states_of()[0], corrected.raw().count(0)) == ("replayed", 1)


def test_what_is_settled_is_no_longer_held_against_its_stream(corrected: Bed) -> None:
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    settle(corrected, at(0))
    corrected.replay(3)
    (share,) = shares(corrected.catalog, [corrected.contract], hour_ago)
    assert (share.landed, share.bad) == (7, 2)


def test_a_second_discard_finds_nothing_open(landed: Bed) -> None:
    everything = Selection(("visits",), ("missing_field",), ("open",))
    assert (settle(landed, everything), settle(landed, everything)) == (3, 0)


def test_what_is_not_open_in_quarantine_can_not_be_discarded(landed: Bed) -> None:
    with pytest.raises(NotQuarantinedError, match="visits:0:1"):
        settle(landed, at(0, 1))
    assert set(landed.states_of().values()) == {"open"}


class Killed(BaseException):
    """The process is gone."""


def test_what_a_killed_replay_has_landed_can_not_be_discarded(
    corrected: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as context:
        context.setattr(replay_module, "mark", kill)
        with pytest.raises(Killed):
            corrected.replay()
    with pytest.raises(InRawError) as refused:
        settle(corrected, at(3))
    assert refused.value.remedy == "bin/millrace quarantine replay visits:0:3"


def test_a_replay_that_lands_beside_a_discard_wins(
    corrected: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = mark
    selections = [at(3)]

    def overtaken(*given: object) -> int:
        """Between the replay's two commits the discard marks the row, having seen it open."""
        while selections:
            with monkeypatch.context() as context:
                context.setattr("millrace.quarantine.discard.find_records", lambda *_: {})
                settle(corrected, selections.pop())
            assert corrected.states_of()[3] == "discarded"
        return real(*given)  # type: ignore

    monkeypatch.setattr(replay_module, "mark", overtaken)
    corrected.replay()
    assert (corrected.states_of()[3], corrected.raw().count(3)) == ("replayed", 1)
