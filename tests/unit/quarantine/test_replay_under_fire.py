"""Replay lands a record once, whatever happens between its two commits and beside it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from millrace.lake.commit import commit_append
from millrace.landing.positions import LogState
from millrace.quarantine import replay as replay_module
from millrace.quarantine import return_to_raw

if TYPE_CHECKING:
    from tests.unit.quarantine.conftest import Bed

ALL = list(range(10))


class Killed(BaseException):
    """The process is gone."""


def test_killed_between_the_two_commits_it_lands_once_and_the_next_one_only_marks(
    corrected: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as context:
        context.setattr(replay_module, "mark", kill)
        with pytest.raises(Killed):
            corrected.replay()
    assert corrected.raw() == [0, 1, 2, 3, 4, 5, 7, 8, 9]
    assert set(corrected.states_of().values()) == {"open"}
    done = corrected.replay()
    assert (done.landed, done.present) == (0, 3)
    assert corrected.raw() == [0, 1, 2, 3, 4, 5, 7, 8, 9]
    assert corrected.states_of() == {0: "replayed", 3: "replayed", 6: "open", 9: "replayed"}


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("commit", [1, 2])
def test_killed_around_either_commit_it_lands_once(
    corrected: Bed, metastore: Any, moment: str, commit: int
) -> None:
    seen: list[str] = []

    def kill(now: str) -> None:
        seen.append(now)
        if now == moment and seen.count(now) == commit:
            raise Killed

    metastore.fail = kill
    with pytest.raises(Killed):
        corrected.replay()
    metastore.fail = lambda now: None
    metastore.locks.clear()
    corrected.replay()
    assert corrected.raw() == [0, 1, 2, 3, 4, 5, 7, 8, 9]
    assert corrected.states_of() == {0: "replayed", 3: "replayed", 6: "open", 9: "replayed"}


@pytest.mark.parametrize("commit", [1, 2])
def test_a_lost_reply_lands_once(corrected: Bed, metastore: Any, commit: int) -> None:
    seen: list[str] = []

    def lose(now: str) -> None:
        seen.append(now)
        if now == "after" and seen.count(now) == commit:
            raise ConnectionResetError

    metastore.fail = lose
    assert corrected.replay().landed == 3
    assert corrected.raw() == [0, 1, 2, 3, 4, 5, 7, 8, 9]


def test_of_two_replays_that_looked_at_the_same_snapshot_one_lands(
    corrected: Bed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real = commit_append
    others: list[int] = []

    def overtaken(*given: Any) -> Any:
        if not others:
            others.append(0)
            others[0] = corrected.replay().landed
        return real(*given)

    monkeypatch.setattr(return_to_raw, "commit_append", overtaken)
    done = corrected.replay()
    assert (others, done.landed, done.present) == ([3], 0, 3)
    assert corrected.raw() == [0, 1, 2, 3, 4, 5, 7, 8, 9]
    live = {task.file.file_path for task in corrected.table("raw.visits").scan().plan_files()}
    there = {f"file://{path}" for path in (tmp_path / "raw.visits").rglob("*.parquet")}
    assert there == live


def test_replays_side_by_side_land_once(corrected: Bed) -> None:
    threads = [threading.Thread(target=corrected.replay) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert corrected.raw() == [0, 1, 2, 3, 4, 5, 7, 8, 9]
    assert corrected.states_of() == {0: "replayed", 3: "replayed", 6: "open", 9: "replayed"}


def test_landing_that_commits_in_between_is_no_obstacle(
    corrected: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    lander = corrected.driver()
    corrected.values |= {10: b'{"page": "p"}', 11: b"{"}
    corrected.log = LogState("id-1", {0: 0}, {0: 12})
    real = commit_append
    landings: list[int] = []

    def overtaken(*given: Any) -> Any:
        if not landings:
            landings.append(12)
            corrected.land(12, lander)
        return real(*given)

    monkeypatch.setattr(return_to_raw, "commit_append", overtaken)
    assert corrected.replay().landed == 3
    assert corrected.raw() == [0, 1, 2, 3, 4, 5, 7, 8, 9, 10]
    assert corrected.states_of()[11] == "open"


def test_an_unfinished_batch_is_left_to_landing(bed: Bed) -> None:
    bed.land(2)
    bed.die_between_the_commits(8)
    bed.correct()
    done = bed.replay()
    assert (done.landed, sorted(each.offset for each in done.waiting)) == (1, [3, 6])
    assert bed.raw() == [0, 1]
    bed.finish()
    assert bed.raw() == [0, 1, 2, 4, 5, 7]
    assert bed.replay().landed == 1
    assert bed.raw() == [0, 1, 2, 3, 4, 5, 7]


def test_a_batch_that_dies_beside_a_replay_finishes_as_it_would_have(bed: Bed) -> None:
    bed.land(5)
    bed.die_between_the_commits(10)
    bed.correct()
    bed.replay(0, 3)  # rewrites a quarantine file while the batch is unfinished
    bed.finish()
    assert bed.raw() == [0, 1, 2, 3, 4, 5, 7, 8]
    assert bed.states_of() == {0: "replayed", 3: "replayed", 6: "open", 9: "open"}


def test_a_record_of_a_topic_that_is_gone_does_not_take_the_place_of_another(
    corrected: Bed,
) -> None:
    corrected.born += 1_000_000
    corrected.log = LogState("id-2", {0: 0}, {0: 10})
    corrected.values = dict.fromkeys(ALL, b'{"page": "new"}')
    corrected.reset()
    corrected.land(10)
    done = corrected.replay()
    assert (done.landed, sorted(each.offset for each in done.taken)) == (0, [0, 3, 6, 9])
    assert len([at for at in corrected.raw() if at == 3]) == 1
