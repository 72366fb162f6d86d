"""Offsets from the rows, where no kept snapshot tells them or where the rows contradict them.

The truth is the identity of the rows: a row counts when the log that is there now has its record,
so a topic that was created again, or rows of another origin, move nothing. What the log no longer
keeps can not be compared and counts. The quarantine table is rebuilt first, because a raw table
notes how far that is; what lies between a raw table's last row and quarantine's end is an
interrupted batch, of which landing leaves out what both tables hold.

A plan is made first and changes nothing. To rebuild is an empty snapshot, so it can be rolled back.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from millrace.contracts.model import Contract
from millrace.contracts.names import QUARANTINE_TABLE
from millrace.lake.offsets import (
    IDENTITY_COLUMNS,
    Identity,
    Offsets,
    TopicOffsets,
    identity_columns,
)
from millrace.landing.broker import Place, ReadableLog
from millrace.landing.errors import RowsOfAnotherLogError
from millrace.landing.landed_table import LandedTable
from millrace.landing.positions import LogState

REBUILD_KEY = "millrace.rebuild"
WRITER = "millrace landing rebuild"

Tell = Callable[[str], None]
#: topic -> partition -> the offset that comes next
Ends = Mapping[str, Mapping[int, int]]


@dataclass(frozen=True)
class Change:
    """One partition whose offset the rows put elsewhere; None where nothing was recorded."""

    topic: str
    partition: int
    recorded: int | None
    rebuilt: int


@dataclass(frozen=True)
class Rebuild:
    """What is to be recorded in one table.

    Attributes:
        changes: empty where the recorded offsets are right.
    """

    table: LandedTable
    offsets: Offsets = field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    lost: bool = False

    @property
    def is_needed(self) -> bool:
        """Whether something is lost or wrong."""
        return self.lost or bool(self.changes)

    def apply(self) -> None:
        """Record it.

        Raises:
            TakenOverError: the table has moved since the plan.
        """
        self.table.restate(self.offsets, {REBUILD_KEY: "true"})


def plan_rebuilds(
    catalog: Catalog,
    log: ReadableLog,
    contracts: Iterable[Contract],
    doubted: Container[str],
    tell: Tell,
) -> list[Rebuild]:
    """What the rows say of the quarantine table and of the contracts' raw tables, in that order.

    Args:
        contracts: all of them: the quarantine table holds records of every topic.
        doubted: tables whose rows are read though they tell their offsets.
        tell: takes a line for each table whose rows are read, which may take minutes.

    Raises:
        RowsOfAnotherLogError: rows and log contradict each other; nothing can be derived.
        TableMissingError: a contract is not applied.
    """
    known = {contract.topic: contract for contract in contracts}
    there = list(log.topic_ids(known))
    logs = log.log_states(there) if there else {}
    raw = {topic: LandedTable(catalog, known[topic].raw_table, WRITER) for topic in logs}
    quarantine = LandedTable(catalog, QUARANTINE_TABLE, WRITER)
    for table in (quarantine, *raw.values()):
        table.load()
    noted = {topic: _noted(raw[topic], topic, state) for topic, state in logs.items()}
    planned = [_plan(quarantine, log, logs, noted, {}, tell, doubted)]
    for topic, state in logs.items():
        held = {topic: planned[0].offsets.get(topic, TopicOffsets()).ends}
        planned.append(_plan(raw[topic], log, {topic: state}, {}, held, tell, doubted))
    return planned


def _noted(raw: LandedTable, topic: str, state: LogState) -> Mapping[int, int]:
    """The ends that quarantine had when the raw table was landed last."""
    landed = raw.offsets.get(topic, TopicOffsets())
    return landed.quarantined if landed.topic_id == state.topic_id else {}


def _plan(
    table: LandedTable,
    log: ReadableLog,
    logs: Mapping[str, LogState],
    noted: Ends,
    quarantined: Ends,
    tell: Tell,
    doubted: Container[str],
) -> Rebuild:
    """The plan of one table.

    Args:
        noted: what raw tables know of quarantine's ends, which its last rows can not tell: the
            batch that quarantined them went on behind them.
        quarantined: of a raw table, the ends of quarantine that it notes.
    """
    if not (table.offsets_are_lost or table.name in doubted):
        return Rebuild(table, dict(table.offsets))
    tell(f"reading the positions of {table.name}")
    offsets, changes = dict(table.offsets), []
    for topic, state in logs.items():
        known = offsets.get(topic, TopicOffsets())
        recorded = known.ends if known.topic_id == state.topic_id else {}
        ends = _ends(table.table, log, topic, state)
        for part, end in noted.get(topic, {}).items():
            ends[part] = max(end, ends.get(part, end))
        moved = {part: end for part, end in ends.items() if end > recorded.get(part, -1)}
        changes += [Change(topic, p, recorded.get(p), end) for p, end in sorted(moved.items())]
        if moved:
            offsets[topic] = known.advanced(moved, state.topic_id, quarantined.get(topic))
    return Rebuild(table, offsets, tuple(changes), table.offsets_are_lost)


def _ends(table: Table, log: ReadableLog, topic: str, state: LogState) -> dict[int, int]:
    """One past the last row of each partition that is of the log that is there now."""
    starts = {(topic, partition): begin for partition, begin in state.begins.items()}
    first_us = {place[1]: at * 1000 for place, (_, at) in log.first_records(starts).items()}
    last, young = _last_rows(table, topic, state, first_us)
    # Asked first, because a clock that was set back makes rows of this log look older than it.
    others = _not_in_log(log, topic, state, last)
    last = {part: row for part, row in last.items() if part not in others}
    doubtful = {part: young[part] for part in others if part in young}
    for partition in sorted(_not_in_log(log, topic, state, doubtful)):
        offset = doubtful[partition][0]
        raise RowsOfAnotherLogError(".".join(table.name()), topic, partition, offset)
    return {partition: offset + 1 for partition, (offset, _) in (last | doubtful).items()}


#: partition -> offset and time, in microseconds, of one row
Rows = dict[int, tuple[int, int]]


def _last_rows(
    table: Table, topic: str, state: LogState, first_us: Mapping[int, int]
) -> tuple[Rows, Rows]:
    """The last row of each partition: of all rows, and without those of a log that is gone.

    The broker's stamps only grow, so a row that is older than the log's first record and yet has a
    later offset is of a topic that was deleted.
    """
    last: Rows = {}
    young: Rows = {}
    scan = table.scan(f"kafka_topic = '{topic}'", selected_fields=IDENTITY_COLUMNS)
    for batch in scan.to_arrow_batch_reader():
        for partition, offset, at in _rows(pa.Table.from_batches([batch])):
            begin = state.begins.get(partition)
            if begin is None:
                continue
            _keep_last(last, partition, offset, at)
            if offset < begin or at >= first_us.get(partition, at + 1):
                _keep_last(young, partition, offset, at)
    return last, young


def _keep_last(rows: Rows, partition: int, offset: int, at: int) -> None:
    """Of two rows at one offset the younger one counts."""
    rows[partition] = max(rows.get(partition, (-1, 0)), (offset, at))


def _rows(rows: pa.Table) -> Iterable[Identity]:
    return zip(*(column.to_pylist() for column in identity_columns(rows)), strict=True)


def _not_in_log(
    log: ReadableLog, topic: str, state: LogState, rows: Mapping[int, tuple[int, int]]
) -> set[int]:
    """The partitions whose row is not the log's record at its offset, as far as that is kept."""
    kept: dict[Place, int] = {
        (topic, partition): offset
        for partition, (offset, _) in rows.items()
        if offset >= state.begins[partition]
    }
    records = log.first_records(kept)
    return {
        partition
        for (_, partition), offset in kept.items()
        if records.get((topic, partition)) != (offset, rows[partition][1] // 1000)
    }
