"""Old rows removed: whole files from the metadata alone, and mixed files written anew.

One commit, compare and swap on the snapshot that was looked at. Rows that a processed table has
not read yet stay, however old, so a pipeline that was away for long loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa
from pyiceberg.expressions.visitors import (
    ROWS_MUST_MATCH,
    _StrictMetricsEvaluator,
    bind,
)
from pyiceberg.io.pyarrow import expression_to_pyarrow
from pyiceberg.table import FileScanTask, Table

from millrace.contracts.names import QUARANTINE_TABLE
from millrace.lake.commit import CommitRefusedError, delete_quietly
from millrace.lake.files import read_files
from millrace.lake.offsets import recorded
from millrace.lake.rewrite import commit_rewrite
from millrace.landing.landed_table import WRITER_KEY
from millrace.landing.writer import TableWriter, WrittenFile
from millrace.maintenance.carry import remembered
from millrace.maintenance.lake import WRITER, Lake, Work, count, look_again, size
from millrace.maintenance.readers import read_last, unread
from millrace.maintenance.rules import Rule, rule_of

STEP = "retention"
NOTE = "millrace.retention"


@dataclass
class Found:
    """Files with rows that are too old.

    Attributes:
        whole: all of their rows are.
        mixed: others are in them as well.
        waiting: reason to the files that stay for it.
    """

    whole: list[FileScanTask] = field(default_factory=list)
    mixed: list[FileScanTask] = field(default_factory=list)
    waiting: dict[str, list[FileScanTask]] = field(default_factory=dict)

    def wait(self, task: FileScanTask, reason: str) -> None:
        """Leave a file alone."""
        self.waiting.setdefault(reason, []).append(task)

    def kept(self) -> tuple[str, ...]:
        """What stays and why."""
        return tuple(f"keeps {_sum(tasks)}: {reason}" for reason, tasks in self.waiting.items())


def plan_retention(lake: Lake, name: str) -> Work:
    """Remove the rows that are older than the table's rule."""
    table = lake.load(name)
    rule = rule_of(lake, name, table)
    if isinstance(rule, str):
        return Work("nothing", (rule,))
    if name.startswith("raw.") and name != QUARANTINE_TABLE and recorded(table) is None:
        dataset = name.removeprefix("raw.")
        cause = "it does not tell how far it is landed, and its rows are the only witness"
        return Work("nothing", (f"{cause}: bin/millrace landing rebuild {dataset}",))
    found = _find(lake, name, table, rule)
    kept = (*found.kept(), *_open_rows(name, table, rule))
    if not found.whole and not found.mixed:
        return Work(f"nothing is older than {rule}", kept)
    parts = [f"{_sum(found.whole)} go whole"] if found.whole else []
    if found.mixed:
        old = _old_rows(table, found.mixed, rule)
        parts.append(f"{count(old, 'row')} of {_sum(found.mixed)}, which are written anew")
    would = f"{' and '.join(parts)} ({rule})"
    return Work(would, kept, lambda: look_again(name, STEP, lambda: _remove(lake, name, rule)))


def _find(lake: Lake, name: str, table: Table, rule: Rule) -> Found:
    evaluator = _StrictMetricsEvaluator(table.schema(), rule.rows)
    young = _unread_files(lake, name, table) if rule.whole_files else {}
    found = Found()
    for task in table.scan(row_filter=rule.rows).plan_files():
        whole = evaluator.eval(task.file) == ROWS_MUST_MATCH
        if reader := young.get(task.file.file_path):
            found.wait(task, f"{reader} has not read them yet")
        elif whole:
            found.whole.append(task)
        elif rule.whole_files:
            found.wait(task, "younger rows are in the same files")
        else:
            found.mixed.append(task)
    return found


def _unread_files(lake: Lake, name: str, table: Table) -> dict[str, str]:
    """Path of each file that a processed table has still to read, and that table."""
    readers = {
        reader: unread(table, position) for reader, position in read_last(lake, name).items()
    }
    current = table.current_snapshot()
    if current is None or not any(readers.values()):
        return {}
    return {
        entry.data_file.file_path: reader
        for manifest in current.manifests(table.io)
        for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True)
        for reader, snapshots in readers.items()
        if entry.snapshot_id in snapshots
    }


def _remove(lake: Lake, name: str, rule: Rule) -> str:
    table = lake.load(name)
    found = _find(lake, name, table, rule)
    gone = [task.file for task in (*found.whole, *found.mixed)]
    snapshot = table.metadata.current_snapshot_id
    if not gone or snapshot is None:
        return "nothing is left to do"
    rows = sum(file.record_count for file in gone)
    written = _write_young(name, table, found.mixed, rule)
    summary = {**remembered(table), WRITER_KEY: WRITER, NOTE: str(rule)}
    try:
        added = [each.data_file() for each in written]
        commit_rewrite(lake.catalog, table, gone, added, summary, snapshot)
    except CommitRefusedError:
        for each in written:
            delete_quietly(table, each.path)
        raise
    rows -= sum(each.rows for each in written)
    return f"removed {count(rows, 'row')}; their files go with the snapshots that have them"


def _write_young(
    name: str, table: Table, mixed: list[FileScanTask], rule: Rule
) -> list[WrittenFile]:
    if not mixed:
        return []
    writer = TableWriter(name, table.metadata, table.io)
    try:
        for rows in _read(table, mixed):
            writer.write(_young(table, rows, rule))
        return writer.close()
    except BaseException:
        writer.abort()
        raise


def _read(table: Table, tasks: list[FileScanTask]) -> Iterator[pa.Table]:
    """The rows of each file as they are, one file at a time in memory."""
    for task in tasks:
        yield from read_files(table, [task])


def _young(table: Table, rows: pa.Table, rule: Rule) -> pa.Table:
    """The rows that are not too old; one without a time is not."""
    old = expression_to_pyarrow(bind(table.schema(), rule.rows, case_sensitive=True))
    return rows.filter(~old | old.is_null())


def _old_rows(table: Table, mixed: list[FileScanTask], rule: Rule) -> int:
    return sum(rows.num_rows - _young(table, rows, rule).num_rows for rows in _read(table, mixed))


def _open_rows(name: str, table: Table, rule: Rule) -> tuple[str, ...]:
    if name != QUARANTINE_TABLE:
        return ()
    old_and_open = f"status = 'open' and quarantined_at < '{rule.before.isoformat()}'"
    if not (old := table.scan(row_filter=old_and_open).count()):
        return ()
    kept = f"keeps {count(old, 'open row')} of more than {rule.days} days"
    return (f"{kept}: bin/millrace quarantine list",)


def _sum(tasks: list[FileScanTask]) -> str:
    rows = sum(task.file.record_count for task in tasks)
    taken = sum(task.file.file_size_in_bytes for task in tasks)
    return f"{count(len(tasks), 'file')} with {count(rows, 'row')} and {size(taken)}"
