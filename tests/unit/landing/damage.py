"""What others do to the tables of a landing: foreign commits, expiries, rollbacks, replays."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from millrace.contracts.names import QUARANTINE_TABLE
from millrace.lake.commit import commit_append
from millrace.lake.rewrite import commit_rewrite
from millrace.landing.landed_table import LandedTable
from millrace.landing.writer import TableWriter

if TYPE_CHECKING:
    from tests.unit.landing.conftest import Landing

GOOD = b'{"page": "new"}'


def foreign_commit(landing: Landing, name: str) -> None:
    """Another engine's commit, which knows nothing of offsets."""
    table = landing.table(name)
    commit_append(landing.catalog, table, [], {}, table.metadata.current_snapshot_id)


def expire_all_but_the_current(landing: Landing, name: str) -> None:
    table = landing.table(name)
    current = table.metadata.current_snapshot_id
    for snapshot in table.snapshots():
        if snapshot.snapshot_id != current:
            expire(landing, name, snapshot.snapshot_id)


def expire(landing: Landing, name: str, snapshot: int) -> None:
    landing.table(name).maintenance.expire_snapshots().by_id(snapshot).commit()


def age_out(landing: Landing, name: str, snapshot: int) -> None:
    """What a rollback to the snapshot would take out of the table is no longer in the log."""
    landing.log = replace(landing.log, begins={0: 5})


def rewrite_quarantine(landing: Landing, replayed: tuple[int, ...] = ()) -> None:
    """All rows in one new file, with the given offsets marked: a compaction, or a replay's end."""
    table = landing.table(QUARANTINE_TABLE)
    rows = table.scan().to_arrow()
    chosen = pc.is_in(rows["kafka_offset"], pa.array(replayed, pa.int64()))
    status = pc.if_else(chosen, "replayed", rows["status"])
    rows = rows.set_column(rows.schema.get_field_index("status"), "status", status)
    writer = TableWriter(QUARANTINE_TABLE, table.metadata, table.io)
    writer.write(rows.cast(writer.arrow_schema))
    removed = [task.file for task in table.scan().plan_files()]
    added = [file.data_file() for file in writer.close()]
    at = table.metadata.current_snapshot_id
    assert at is not None
    commit_rewrite(landing.catalog, table, removed, added, {}, at)


def replay(landing: Landing, offset: int) -> None:
    """What a replay does: the row into raw, with its old position, then the mark."""
    landing.values[offset] = GOOD
    files = landing.sift(offset, offset + 1, landing.driver().job())
    raw = LandedTable(landing.catalog, "raw.visits")
    raw.load()
    raw.append(files, {})
    rewrite_quarantine(landing, (offset,))


def roll_back(landing: Landing, name: str, snapshots: int) -> None:
    """Undo the last snapshots of a table."""
    snapshot = landing.table(name).current_snapshot()
    for _ in range(snapshots):
        assert snapshot is not None and snapshot.parent_snapshot_id is not None
        snapshot = landing.table(name).snapshot_by_id(snapshot.parent_snapshot_id)
    assert snapshot is not None
    landing.table(name).manage_snapshots().set_current_snapshot(snapshot.snapshot_id).commit()
