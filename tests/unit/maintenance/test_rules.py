"""How long rows stay is what was applied, and quarantine explains raw rows to their end."""

from __future__ import annotations

from dataclasses import replace

from millrace.contracts.names import QUARANTINE_TABLE, RETENTION_DAYS
from millrace.maintenance.lake import Lake
from millrace.maintenance.rules import rule_of
from tests.unit.maintenance.conftest import DAY, Topic
from tests.unit.maintenance.test_ageing import NOW, age, read_all


def edited(lake: Lake, days: int) -> None:
    """The contract as its file says it now, which nobody has applied."""
    contract = replace(lake.contracts["visits"], retention_days=days)
    lake.contracts = {"visits": contract}


def test_an_edited_contract_that_nobody_applied_removes_nothing(
    topic: Topic, lake_now: Lake
) -> None:
    topic.land(30 * DAY)
    read_all(topic)
    with topic.table().transaction() as change:
        change.set_properties({RETENTION_DAYS: "90"})
    edited(lake_now, 9)
    rule = rule_of(lake_now, "raw.visits", topic.table())
    assert "its contract says 9: make apply" in str(rule)
    age(lake_now, "raw.visits")
    assert topic.offsets() == [0]


def test_resolved_rows_stay_for_longer_than_any_raw_row(topic: Topic, lake_now: Lake) -> None:
    """Without them a discarded record would look lost, and a corrected one changed."""
    edited(lake_now, 365)
    rows = [
        {"kafka_offset": at, "status": "discarded", "quarantined_at": NOW, "resolved_at": NOW - old}
        for at, old in enumerate([380 * DAY, 370 * DAY])
    ]
    topic.quarantine(*rows)
    age(lake_now, QUARANTINE_TABLE)
    assert topic.table(QUARANTINE_TABLE).scan().to_arrow()["kafka_offset"].to_pylist() == [1]
