"""Two drivers, lost replies and roll-backs at the same time: what is unknown is read anew."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from millrace.contracts.names import QUARANTINE_TABLE
from millrace.lake import commit
from millrace.lake.commit import UnknownResultError, commit_append
from millrace.lake.offsets import SUMMARY_KEY, recorded_text
from millrace.landing.errors import TakenOverError
from millrace.landing.landed_table import LandedTable
from millrace.landing.lander import Lander
from millrace.landing.status import measure

if TYPE_CHECKING:
    from tests.unit.landing.conftest import Landing

GOOD = b'{"page": "p"}'


@pytest.fixture
def all_good(landing: Landing) -> Landing:
    """A log without bad records: each batch of a driver but its first is one commit."""
    landing.values = dict.fromkeys(range(10), GOOD)
    return landing


@pytest.fixture
def lose_the_reply(metastore: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The next commit is done and its reply lost; before the client looks, something happens."""

    def arrange(meanwhile: Callable[[], object]) -> None:
        look, state = commit._look, {"lost": False, "looked": False}

        def fail(moment: str) -> None:
            if moment == "after" and not state["lost"]:
                state["lost"] = True
                raise ConnectionResetError(moment)

        def look_late(*arguments: Any) -> Any:
            if not state["looked"]:
                state["looked"] = True
                meanwhile()
            return look(*arguments)

        monkeypatch.setattr(metastore, "fail", fail)
        monkeypatch.setattr(commit, "_look", look_late)

    return arrange


def finish(landing: Landing) -> None:
    """What the application does after an error that passes."""
    lander = landing.driver()
    landing.finish(lander)
    landing.land(lander, 10)


def test_a_driver_whose_reply_was_lost_does_not_build_on_anothers_commit(
    all_good: Landing, lose_the_reply: Callable[..., None]
) -> None:
    first = all_good.driver()
    all_good.land(first, 1)
    lose_the_reply(lambda: all_good.land(all_good.driver(), 8))
    with pytest.raises(UnknownResultError, match="another commit is on top of it"):
        all_good.land(first, 5)
    finish(all_good)
    assert all_good.offsets("raw.visits") == list(range(10))


def test_a_commit_that_was_rolled_back_before_its_driver_looked_is_not_taken_for_done(
    all_good: Landing, lose_the_reply: Callable[..., None]
) -> None:
    lander = all_good.driver()
    all_good.land(lander, 4)
    old = all_good.table("raw.visits").metadata.current_snapshot_id
    assert old is not None

    def roll_back() -> None:
        all_good.table("raw.visits").manage_snapshots().set_current_snapshot(old).commit()

    lose_the_reply(roll_back)
    with pytest.raises(UnknownResultError, match="rolled back since"):
        all_good.land(lander, 8)
    finish(all_good)
    assert all_good.offsets("raw.visits") == list(range(10))


def test_files_of_a_commit_that_won_and_was_expired_before_its_driver_looked_stay(
    all_good: Landing, lose_the_reply: Callable[..., None]
) -> None:
    lander = all_good.driver()
    all_good.land(lander, 1)

    def build_and_expire() -> None:
        table = all_good.table("raw.visits")
        mine, text = table.metadata.current_snapshot_id, recorded_text(table)
        assert mine is not None and text is not None
        table = commit_append(all_good.catalog, table, [], {SUMMARY_KEY: text}, mine)
        table.maintenance.expire_snapshots().by_id(mine).commit()

    lose_the_reply(build_and_expire)
    with pytest.raises(UnknownResultError):
        all_good.land(lander, 8)
    assert all_good.offsets("raw.visits") == list(range(8))
    finish(all_good)
    assert all_good.offsets("raw.visits") == list(range(10))


def test_maintenance_on_top_of_a_commit_whose_reply_was_lost_is_no_trouble(
    all_good: Landing, lose_the_reply: Callable[..., None]
) -> None:
    lander = all_good.driver()
    all_good.land(lander, 1)

    def maintain() -> None:
        table = all_good.table("raw.visits")
        commit_append(all_good.catalog, table, [], {}, table.metadata.current_snapshot_id)

    lose_the_reply(maintain)
    all_good.land(lander, 8)
    all_good.land(lander, 10)
    assert all_good.offsets("raw.visits") == list(range(10))


def test_two_drivers_that_finish_one_batch_by_a_stricter_contract_quarantine_once(
    landing: Landing,
) -> None:
    landing.die_between_the_commits(10)
    landing.values[1] = b"{}"  # good at first, bad by now
    first, second = landing.driver(), landing.driver()
    ranges = first.unfinished()
    files = [landing.sift(0, 10, each.job(ranges)) for each in (first, second)]
    first.commit(ranges, files[0])
    with pytest.raises(TakenOverError):
        second.commit(ranges, files[1])
    assert landing.offsets(QUARANTINE_TABLE) == [0, 1, 3, 6, 9]
    assert landing.offsets("raw.visits") == [2, 4, 5, 7, 8]


def test_a_frozen_driver_that_judged_by_a_stricter_contract_quarantines_nothing_when_it_thaws(
    landing: Landing,
) -> None:
    """The second one finds no bad records, and so has none to commit to quarantine."""
    frozen = landing.driver()
    ranges = {"visits": {0: (0, 10)}}
    files = landing.sift(0, 10, frozen.job())
    landing.values = dict.fromkeys(range(10), GOOD)
    landing.land(landing.driver(), 10)
    with pytest.raises(TakenOverError):
        frozen.commit(ranges, files)
    assert landing.offsets(QUARANTINE_TABLE) == []
    assert landing.offsets("raw.visits") == list(range(10))


@pytest.mark.parametrize("dies", [False, True])
def test_a_frozen_driver_lands_nothing_that_a_stricter_contract_has_quarantined_since(
    all_good: Landing, dies: bool
) -> None:
    frozen = all_good.driver()
    all_good.land(frozen, 1)
    files = all_good.sift(1, 5, frozen.job())
    all_good.values[2] = b"{}"  # good at first, bad by now
    refused: list[bool] = []
    second = all_good.driver()
    commit_raw = second._commit_raw

    def commit_after_thawing(*arguments: Any) -> None:
        with pytest.raises(TakenOverError):
            frozen.commit({"visits": {0: (1, 5)}}, files)
        refused.append(True)
        if dies:
            raise KeyboardInterrupt
        commit_raw(*arguments)

    second._commit_raw = commit_after_thawing  # type: ignore
    with suppress(KeyboardInterrupt):
        all_good.land(second, 10)
    assert refused == [True]
    finish(all_good)
    assert all_good.offsets("raw.visits") == [0, 1, *range(3, 10)]
    assert all_good.offsets(QUARANTINE_TABLE) == [2]


def test_a_driver_that_was_faster_in_raw_keeps_another_from_quarantine(all_good: Landing) -> None:
    first, second = all_good.driver(), all_good.driver()
    all_good.values[2] = b"{}"
    files = all_good.sift(0, 10, second.job())
    all_good.values[2] = GOOD
    all_good.land(first, 5)
    with pytest.raises(TakenOverError):
        second.commit({"visits": {0: (0, 10)}}, files)
    assert all_good.offsets(QUARANTINE_TABLE) == []
    assert all_good.offsets("raw.visits") == list(range(5))


def test_a_batch_that_lands_while_the_status_looks_is_no_problem(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before and after the raw table is read: bad records are quarantined, and the log grows."""
    landing.log = replace(landing.log, ends={0: 2})
    lander = landing.driver()
    landing.land(lander, 2)
    load, ends = LandedTable.load, iter(range(3, 11))

    def land_one() -> None:
        if end := next(ends, None):
            landing.log = replace(landing.log, ends={0: end})
            landing.land(lander, end)

    def land_around(self: LandedTable) -> None:
        of_raw = self.name == "raw.visits"
        if of_raw:
            land_one()
        load(self)
        if of_raw:
            land_one()

    monkeypatch.setattr(LandedTable, "load", land_around)
    for _ in range(4):
        (found,) = measure(landing.catalog, landing, [landing.contract], now=lambda: 0.0)
        assert found.problems == ()
    assert landing.holds_all_once()


def test_a_driver_that_opens_beside_one_that_lands_passes_the_gate(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    lander = landing.driver()
    landing.land(lander, 2)
    load = LandedTable.load
    landed: list[bool] = []

    def land_before(self: LandedTable) -> None:
        if self.name == "raw.visits" and not landed:
            landed.append(True)
            landing.land(lander, 8)
        load(self)

    monkeypatch.setattr(LandedTable, "load", land_before)
    second = Lander(landing.catalog, [landing.contract], landing, "second")
    second.open()
    assert second.starts == {"visits": {0: 8}}
