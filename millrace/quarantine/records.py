"""Rows of `raw.quarantine`: how they are named, chosen and read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import Any, NamedTuple

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.expressions import (
    AlwaysTrue,
    And,
    BooleanExpression,
    EqualTo,
    GreaterThanOrEqual,
    In,
    NotIn,
    Or,
)
from pyiceberg.expressions.visitors import bind
from pyiceberg.io.pyarrow import ArrowScan, expression_to_pyarrow
from pyiceberg.table import FileScanTask, Table

from millrace.contracts.model import Contract
from millrace.contracts.names import (
    DISCARDED,
    HEADERS_COLUMN,
    OPEN,
    QUARANTINE_TABLE,
    REPLAYED,
    VALUE_COLUMN,
)
from millrace.lake.files import read_files
from millrace.landing.errors import TableMissingError
from millrace.quarantine.errors import NotQuarantinedError

#: Rows in memory at a time; a bad record is seldom larger than a kilobyte.
ROWS_AT_ONCE = 20_000
NAMED_ALIKE = (
    *("dataset", "reason", "detail", "field", "status", "quarantined_at", "schema_id"),
    *("value_sha256", VALUE_COLUMN, "resolved_at", "resolution", "replayed_sha256"),
)
HEAVY = (VALUE_COLUMN, "kafka_key", HEADERS_COLUMN)


class Position(NamedTuple):
    """Where a record stands in Kafka; written `orders:0:123`."""

    topic: str
    partition: int
    offset: int

    @classmethod
    def parse(cls, text: str) -> Position:
        """The position that the text names.

        Raises:
            ValueError: it names none.
        """
        topic, partition, offset = text.rsplit(":", 2)
        if not topic:
            raise ValueError("no topic")
        return cls(topic, int(partition), int(offset))

    def __str__(self) -> str:
        return f"{self.topic}:{self.partition}:{self.offset}"


class Key(NamedTuple):
    """One record for good: a topic that is created again counts its offsets from 0 again, and the
    broker's time tells the two apart."""

    position: Position
    at: datetime


@dataclass(frozen=True)
class QuarantinedRecord:
    """One row; `value`, `key` and `headers` are None where they were not read."""

    dataset: str
    position: Position
    at: datetime
    reason: str
    detail: str
    field: str | None
    status: str
    quarantined_at: datetime
    schema_id: int | None
    value_sha256: str | None
    value: bytes | None = None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] | None = None
    resolved_at: datetime | None = None
    resolution: str | None = None
    replayed_sha256: str | None = None

    @property
    def identity(self) -> Key:
        """What names it for good."""
        return Key(self.position, self.at)

    @classmethod
    def of(cls, row: dict[str, Any]) -> QuarantinedRecord:
        """The record of a row."""
        values: dict[str, Any] = {name: row.get(name) for name in NAMED_ALIKE}
        headers = row.get(HEADERS_COLUMN)
        return cls(
            position=Position(row["kafka_topic"], row["kafka_partition"], row["kafka_offset"]),
            at=row["kafka_at"],
            key=row.get("kafka_key"),
            headers=None if headers is None else tuple((h["key"], h["value"]) for h in headers),
            **values,
        )


@dataclass(frozen=True)
class Selection:
    """Which rows are meant; what is empty does not narrow.

    Attributes:
        statuses: `open` is everything that is neither replayed nor discarded.
        since: quarantined at or after this.
    """

    datasets: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    since: datetime | None = None
    positions: tuple[Position, ...] = ()

    def filter(self) -> BooleanExpression:
        """The selection for a scan."""
        parts: list[BooleanExpression] = []
        if self.datasets:
            parts.append(In(term="dataset", literals=set(self.datasets)))
        if self.reasons:
            parts.append(In(term="reason", literals=set(self.reasons)))
        if self.statuses:
            parts.append(_any(_of_status(each) for each in self.statuses))
        if self.since is not None:
            parts.append(GreaterThanOrEqual(term="quarantined_at", value=self.since.isoformat()))
        if self.positions:
            parts.append(_any(_at(each) for each in self.positions))
        everything: BooleanExpression = AlwaysTrue()
        return reduce(And, parts, everything)


def _of_status(status: str) -> BooleanExpression:
    if status == OPEN:
        return NotIn(term="status", literals={REPLAYED, DISCARDED})
    return EqualTo(term="status", value=status)


def _at(position: Position) -> BooleanExpression:
    return And(
        EqualTo(term="kafka_topic", value=position.topic),
        EqualTo(term="kafka_partition", value=position.partition),
        EqualTo(term="kafka_offset", value=position.offset),
    )


def _any(parts: Iterator[BooleanExpression]) -> BooleanExpression:
    return reduce(Or, parts)


def load_quarantine(catalog: Catalog) -> Table:
    """The quarantine table as it is now.

    Raises:
        TableMissingError: it is not there, or older than this version.
    """
    try:
        table = catalog.load_table(QUARANTINE_TABLE)
    except NoSuchTableError:
        raise TableMissingError(QUARANTINE_TABLE) from None
    if "replayed_sha256" not in table.schema().column_names:
        raise TableMissingError(QUARANTINE_TABLE, "it has no column replayed_sha256")
    return table


def load_raw(catalog: Catalog, contract: Contract) -> Table:
    """The raw table of a contract as it is now.

    Raises:
        TableMissingError: it is not there.
    """
    try:
        return catalog.load_table(contract.raw_table)
    except NoSuchTableError:
        raise TableMissingError(contract.raw_table) from None


def read(
    table: Table, selection: Selection, *, with_bytes: bool = True
) -> Iterator[list[QuarantinedRecord]]:
    """The selected rows, some thousand at a time.

    Args:
        with_bytes: also read values, keys and headers.
    """
    names = [name for name in table.schema().column_names if "." not in name]
    narrow = tuple(name for name in names if name not in HEAVY)
    scan = table.scan(row_filter=selection.filter(), selected_fields=narrow)
    reader = ArrowScan(table.metadata, table.io, scan.projection(), scan.row_filter)
    chosen = expression_to_pyarrow(bind(table.schema(), scan.row_filter, case_sensitive=True))
    for tasks in _portions(list(scan.plan_files())):
        if with_bytes:
            whole = [rows.filter(chosen) for rows in read_files(table, tasks)]
            found = [row for rows in whole for row in rows.to_pylist()]
        else:
            found = reader.to_table(tasks).to_pylist()
        if found:
            yield [QuarantinedRecord.of(row) for row in found]


def records_at(catalog: Catalog, position: Position) -> list[QuarantinedRecord]:
    """The rows at a position, the oldest first: a topic that is created again has a second.

    Raises:
        NotQuarantinedError: there is none.
    """
    parts = read(load_quarantine(catalog), Selection(positions=(position,)))
    found = [each for part in parts for each in part]
    if not found:
        raise NotQuarantinedError(position)
    return sorted(found, key=lambda record: (record.at, record.quarantined_at))


def _portions(tasks: Sequence[FileScanTask]) -> Iterator[list[FileScanTask]]:
    """The files, so many at a time that their rows fit in memory."""
    portion: list[FileScanTask] = []
    rows = 0
    for task in tasks:
        if portion and rows + task.file.record_count > ROWS_AT_ONCE:
            yield portion
            portion, rows = [], 0
        portion.append(task)
        rows += task.file.record_count
    if portion:
        yield portion
