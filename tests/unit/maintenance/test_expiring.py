"""Snapshots that somebody needs stay, and landing goes on whatever went."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.table import Table

from millrace.contracts.names import QUARANTINE_TABLE
from millrace.lake.commit import commit_append
from millrace.lake.offsets import SUMMARY_KEY, TopicOffsets, dump, recorded
from millrace.maintenance import lake as maintenance_lake
from millrace.maintenance.carry import carry_forward
from millrace.maintenance.compact import plan_compact
from millrace.maintenance.errors import ConflictError
from millrace.maintenance.expire import guard, plan_expire
from millrace.maintenance.lake import Lake
from millrace.processed import READ_UP_TO
from tests.unit.maintenance.conftest import DAY, Foreign, Topic

NONE = 0 * DAY


def expire(lake: Lake, name: str = "raw.visits") -> str:
    work = plan_expire(lake, name)
    return work.perform() if work.perform else work.would


def ids(table: Table) -> list[int]:
    return [snapshot.snapshot_id for snapshot in table.snapshots()]


def rewrite(topic: Topic) -> None:
    Foreign(topic.catalog).execute('alter table "iceberg"."raw"."visits" execute optimize()')


def test_landing_goes_on_where_it_was_after_compaction_and_expiry(topic: Topic, lake: Lake) -> None:
    for _ in range(6):
        topic.land(NONE)
    compaction = plan_compact(lake, "raw.visits")
    assert compaction.perform is not None
    compaction.perform()
    expire(lake)
    assert len(topic.table().snapshots()) == 1
    topic.land(NONE, NONE)
    assert topic.offsets() == list(range(8))
    known = recorded(topic.table())
    assert known is not None
    assert known["visits"].ends == {0: 8}


def test_a_foreign_rewrite_hides_no_offsets_from_an_expiry(topic: Topic, lake: Lake) -> None:
    """Another's maintenance carries nothing forward: ours does, before it expires."""
    topic.land(NONE)
    topic.land(NONE)
    rewrite(topic)
    assert "after carrying on" in plan_expire(lake, "raw.visits").would
    expire(lake)
    known = recorded(topic.table())
    assert known is not None
    assert known["visits"] == TopicOffsets({0: 2}, "id-1")


def test_the_line_to_the_newest_offsets_is_kept_whole(topic: Topic, lake: Lake) -> None:
    """Ancestors are found step by step: a gap would hide the offsets behind it."""
    topic.land(NONE)
    topic.land(NONE)
    landed = topic.table().metadata.current_snapshot_id
    rewrite(topic)
    rewrite(topic)
    table = topic.table()
    kept, _ = guard(lake, "raw.visits", table)
    newest = ids(table)[ids(table).index(landed or 0) :]
    assert set(newest) <= set(kept)
    assert ids(table)[0] not in kept


def test_what_is_carried_forward_twice_is_one_snapshot(topic: Topic, lake: Lake) -> None:
    topic.land(NONE)
    rewrite(topic)
    assert carry_forward(lake, "raw.visits", "expire")
    before = ids(topic.table())
    assert not carry_forward(lake, "raw.visits", "expire")
    assert ids(topic.table()) == before


def test_young_tagged_and_branched_snapshots_are_kept(
    topic: Topic, lake: Lake, lake_now: Lake
) -> None:
    for _ in range(5):
        topic.land(NONE)
    snapshots = ids(topic.table())
    with topic.table().manage_snapshots() as change:
        change.create_tag(snapshots[0], "audited").create_branch(snapshots[2], "trial")
    assert "nothing" in plan_expire(lake_now, "raw.visits").would
    told = " ".join(plan_expire(lake_now, "raw.visits").kept)
    assert "24 h" in told
    told = " ".join(plan_expire(lake, "raw.visits").kept)
    assert "audited" in told
    assert "trial" in told
    expire(lake)
    assert ids(topic.table()) == [snapshots[0], snapshots[2], snapshots[4]]


def processed_visits(topic: Topic, read: int) -> None:
    """The processed table of the topic, which has read the raw table up to a snapshot."""
    schema = pa.schema([("visit_id", pa.string()), ("source_at", pa.timestamp("us", "UTC"))])
    place = f"file://{topic.folder}/processed.visits"
    table = topic.catalog.create_table_if_not_exists("processed.visits", schema, location=place)
    note = {READ_UP_TO: json.dumps({"raw.visits": read})}
    commit_append(topic.catalog, table, [], note, table.metadata.current_snapshot_id)


def test_what_a_processed_table_has_still_to_read_is_kept(topic: Topic, lake: Lake) -> None:
    for _ in range(5):
        topic.land(NONE)
    snapshots = ids(topic.table())
    processed_visits(topic, snapshots[2])
    assert "processed.visits has still to read" in " ".join(plan_expire(lake, "raw.visits").kept)
    expire(lake)
    assert ids(topic.table()) == snapshots[2:]


def test_a_processed_table_that_stays_away_is_named_and_waited_for_no_longer(
    topic: Topic, lake: Lake
) -> None:
    lake.limits = lake.limits.model_copy(update={"reader_days": 3.0})
    for _ in range(5):
        topic.land(NONE)
    processed_visits(topic, ids(topic.table())[2])
    assert "it will read all of raw.visits" in " ".join(plan_expire(lake, "raw.visits").kept)
    expire(lake)
    assert len(ids(topic.table())) == 1


def test_what_a_processed_table_has_read_survives_its_own_maintenance(
    topic: Topic, lake: Lake
) -> None:
    topic.land(NONE)
    read = ids(topic.table())[0]
    processed_visits(topic, read)
    table = topic.catalog.load_table("processed.visits")
    table.append(
        pa.table({"visit_id": ["1"], "source_at": [None]}, schema=table.schema().as_arrow())
    )
    expire(lake, "processed.visits")
    (snapshot,) = topic.catalog.load_table("processed.visits").snapshots()
    assert snapshot.summary is not None
    assert json.loads(snapshot.summary[READ_UP_TO] or "") == {"raw.visits": read}


def test_the_quarantine_of_an_unfinished_batch_can_still_be_rolled_back(
    topic: Topic, lake: Lake
) -> None:
    topic.land(NONE)
    topic.quarantine({"kafka_offset": 0, "status": "open"})
    topic.quarantine({"kafka_offset": 0, "status": "open"})
    settled = topic.table(QUARANTINE_TABLE).metadata.current_snapshot_id
    topic.end = 3  # quarantine commits first, and the driver dies
    topic.quarantine({"kafka_offset": 2, "status": "open"})
    expire(lake, QUARANTINE_TABLE)
    left = ids(topic.table(QUARANTINE_TABLE))
    assert left[0] == settled
    assert len(left) == 2


def test_a_writer_that_comes_between_is_looked_at_again(
    topic: Topic, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic.land(NONE)
    topic.land(NONE)
    raced: list[int] = []
    real = topic.catalog.commit_table

    def race(*asked: Any) -> Any:
        monkeypatch.setattr(topic.catalog, "commit_table", real)
        topic.land(NONE)
        raced.append(1)
        return real(*asked)

    monkeypatch.setattr(maintenance_lake, "PAUSE_S", 0.0)
    monkeypatch.setattr(topic.catalog, "commit_table", race)
    expire(lake)
    assert raced
    assert topic.offsets() == [0, 1, 2]
    assert len(ids(topic.table())) == 1


def test_a_writer_that_never_pauses_is_named(
    topic: Topic, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic.land(NONE)
    topic.land(NONE)
    real = topic.catalog.commit_table

    def race(table: Table, requirements: Any, updates: Any) -> Any:
        if updates[0].action == "remove-snapshots":
            topic.land(NONE)
        return real(table, requirements, updates)

    monkeypatch.setattr(maintenance_lake, "PAUSE_S", 0.0)
    monkeypatch.setattr(maintenance_lake, "TRIES", 3)
    monkeypatch.setattr(topic.catalog, "commit_table", race)
    with pytest.raises(ConflictError, match=r"expire of raw\.visits"):
        expire(lake)
    assert len(ids(topic.table())) == 5


def test_a_run_killed_after_its_first_commit_is_finished_by_the_next(
    topic: Topic, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic.land(NONE)
    rewrite(topic)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("millrace.maintenance.expire._expire_some", die)
        with pytest.raises(KeyboardInterrupt):
            expire(lake)
    note = topic.table().current_snapshot()
    assert note is not None and note.summary is not None
    assert note.summary[SUMMARY_KEY] == dump({"visits": TopicOffsets({0: 1}, "id-1")})
    expire(lake)
    assert len(ids(topic.table())) == 1
    assert "nothing" in plan_expire(lake, "raw.visits").would
