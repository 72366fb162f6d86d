"""Rows of `raw.quarantine` change their state: their files are rewritten, in one swap.

A file that holds a changed row is written anew with all of its rows, and replaced only if the
table has not moved since it was read. Landing appends to the table meanwhile; then the rewrite is
refused, and planned again on what there is now.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.expressions import And, GreaterThanOrEqual, In, LessThanOrEqual
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from millrace.contracts.names import MARK_KEY, QUARANTINE_TABLE
from millrace.lake.commit import CommitRefusedError, delete_quietly
from millrace.lake.files import read_files
from millrace.lake.rewrite import commit_rewrite
from millrace.landing.writer import TableWriter, WrittenFile
from millrace.quarantine.errors import BusyError
from millrace.quarantine.records import Key, Position, load_quarantine

log = logging.getLogger(__name__)

#: Landing commits every two seconds at most, a rewrite takes about one.
PATIENCE_S = 120.0
PAUSE_S = 0.1


@dataclass(frozen=True)
class Mark:
    """What becomes of the row of a record.

    Attributes:
        values: column to its new value.
        unless: rows in one of these states are left as they are.
    """

    values: Mapping[str, Any]
    unless: frozenset[str] = frozenset()


def mark(catalog: Catalog, marks: Mapping[Key, Mark], note: str) -> int:
    """Change the rows of these records; returns how many changed.

    Rows that have their new values already are left alone, so it may be repeated.

    Args:
        note: what the snapshot's summary says of it.

    Raises:
        BusyError: others committed faster, every time.
        UnknownResultError: the result could not be found out; repeat it.
    """
    deadline = time.monotonic() + PATIENCE_S
    while marks:
        table = load_quarantine(catalog)
        snapshot = table.current_snapshot()
        removed, rows, changed = _changed_files(table, marks)
        if snapshot is None or not removed:
            return 0
        written = _write(table, rows)
        try:
            commit_rewrite(
                catalog,
                table,
                removed,
                [file.data_file() for file in written],
                {MARK_KEY: note},
                snapshot.snapshot_id,
            )
        except CommitRefusedError as refusal:
            log.info("%s: %s: looking again", QUARANTINE_TABLE, refusal)
            for file in written:
                delete_quietly(table, file.path)
        else:
            return changed
        if time.monotonic() > deadline:
            raise BusyError(QUARANTINE_TABLE)
        time.sleep(PAUSE_S)
    return 0


def _changed_files(
    table: Table, marks: Mapping[Key, Mark]
) -> tuple[list[DataFile], list[pa.Table], int]:
    """The files with rows that change, their rows afterwards, and how many change."""
    offsets = [key.position.offset for key in marks]
    scan = table.scan(
        row_filter=And(
            In(term="kafka_topic", literals={key.position.topic for key in marks}),
            GreaterThanOrEqual(term="kafka_offset", value=min(offsets)),
            LessThanOrEqual(term="kafka_offset", value=max(offsets)),
        )
    )
    tasks = list(scan.plan_files())
    removed, kept, count = [], [], 0
    for task, rows in zip(tasks, read_files(table, tasks), strict=True):
        after, changed = _marked(rows, marks)
        if changed:
            removed.append(task.file)
            kept.append(after)
            count += changed
    return removed, kept, count


def _marked(rows: pa.Table, marks: Mapping[Key, Mark]) -> tuple[pa.Table, int]:
    """The rows with their marks, and how many of them changed."""
    names = ("kafka_topic", "kafka_partition", "kafka_offset", "kafka_at", "status")
    places = zip(*(rows[name].to_pylist() for name in names), strict=True)
    found: dict[int, Mark] = {}
    for index, (topic, partition, offset, at, status) in enumerate(places):
        wanted = marks.get(Key(Position(topic, partition, offset), at))
        if wanted is not None and status not in wanted.unless:
            found[index] = wanted
    columns = {name for each in found.values() for name in each.values}
    changed: set[int] = set()
    for name in columns:
        values = rows[name].to_pylist()
        for index, each in found.items():
            if name in each.values and values[index] != each.values[name]:
                values[index] = each.values[name]
                changed.add(index)
        place = rows.schema.get_field_index(name)
        rows = rows.set_column(place, name, pa.array(values, rows.schema.field(name).type))
    return rows, len(changed)


def _write(table: Table, rows: list[pa.Table]) -> list[WrittenFile]:
    writer = TableWriter(QUARANTINE_TABLE, table.metadata, table.io)
    try:
        for each in rows:
            writer.write(each)
        return writer.close()
    except BaseException:
        writer.abort()
        raise
