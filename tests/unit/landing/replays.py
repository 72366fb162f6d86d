"""Replays into the raw table of a landing, and what gate and status say of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from millrace.landing.errors import ReplayRolledBackError
from millrace.landing.status import measure
from millrace.quarantine.records import Position, Selection
from millrace.quarantine.replay import Replay

if TYPE_CHECKING:
    from tests.unit.landing.conftest import Landing

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
