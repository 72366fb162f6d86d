"""The broker is killed once records are on their way, and what it left unanswered is counted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from millrace.chaos.evidence import Mark, Witness
from millrace.chaos.faults.kafka import BrokerKilled


class Scene:
    """A broker and a load that write down what is done with them, in order."""

    def __init__(self, left: int) -> None:
        self.done: list[str] = []
        self.is_alive = True
        self._left = left
        self._size = 0
        self._waiting = iter([0, 0, 7])

    def running(self, name: str) -> Scene:
        self.done.append(f"find {name}")
        return self

    @property
    def waiting(self) -> int:
        self.done.append("look")
        return next(self._waiting)

    def mark(self) -> Mark:
        self.done.append("mark")
        self._size += 100
        return Mark(1, self._size)

    def kill(self) -> None:
        self.done.append("kill")
        self.is_alive = False

    def unanswered(self, sent: Mark, answered: Mark) -> int:
        assert sent == Mark(1, 100)
        assert answered.size > sent.size
        self.done.append("count")
        return self._left


@pytest.mark.parametrize("left", [5, 0])
def test_only_what_is_unanswered_after_its_end_shows_that_it_was_killed_in_between(
    left: int,
) -> None:
    scene = Scene(left)
    world: Any = SimpleNamespace(services=scene, load=scene)
    witness = Witness(scene.mark)
    BrokerKilled().strike(world, witness)
    first = ["find kafka", "look", "look", "look", "mark", "kill"]
    assert (scene.done[:6], scene.done[-1]) == (first, "count")
    ended, seen = witness.observations
    assert (ended.kind, ended.holds, seen.kind, seen.holds) == ("ended", True, "present", left > 0)
    assert seen.before == "7 records on their way"
