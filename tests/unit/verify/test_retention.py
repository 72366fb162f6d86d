"""L1: what retention may have taken is counted, and what it can not have is lost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from millrace_producers.ledger import Ledger
from tests.unit.verify.conftest import NOW

RAW, QUARANTINE = "raw.visits", "raw.quarantine"


def page(name: str) -> bytes:
    return b'{"page": "%s"}' % name.encode()


def test_records_older_than_retention_may_be_gone(world: Any) -> None:
    world.age(100)
    world.change(RAW, lambda rows: rows[4:])
    report = world.verify()
    assert report.ok
    assert report.counts["visits"]["expired"] == 4


@pytest.mark.parametrize(("days", "is_lost"), [(None, False), (91, False), (1, True)])
def test_a_long_runs_records_that_the_topic_dropped_are_as_old_as_its_ledger_tells(
    world: Any, days: int | None, is_lost: bool
) -> None:
    """The run began before retention, so that without their own times they count as expired."""
    for name in (RAW, QUARANTINE):
        world.change(name, lambda rows: [])
    for run in world.ledger_folder.glob("*.jsonl"):
        run.unlink()
    world.ledger = Ledger(world.ledger_folder)
    world.ledger.run_id = f"{NOW - timedelta(days=100):%Y%m%dT%H%M%S.%f}Z-1-abcdef"
    world.ledger.path = world.ledger_folder / f"{world.ledger.run_id}.jsonl"
    told = None if days is None else NOW - timedelta(days=days)
    world.send(page("x"), page("y"), told_ms=told and int(told.timestamp() * 1000))
    world.send(page("z"))
    world.land()
    world.log.begin = 8
    world.drop(RAW, 6, 7)
    assert world.broken() == (
        {"L1": ["2 records were acknowledged and are nowhere"]} if is_lost else {}
    )


@pytest.mark.parametrize(
    ("age", "resolved", "is_lost"),
    [(95, 95, False), (95, 90, False), (95, 1, True), (1, 1, True)],
)
def test_a_replayed_record_expires_with_the_row_that_its_replay_landed(
    world: Any, age: int, resolved: int, is_lost: bool
) -> None:
    world.age(age)
    marks = {"status": "replayed", "resolved_at": NOW - timedelta(days=resolved)}
    world.change(QUARANTINE, lambda rows: [{**row, **marks} for row in rows])
    found = world.broken().get("L1", [])
    assert found == (
        ["1 record is marked as replayed and is not in the raw table"] if is_lost else []
    )
