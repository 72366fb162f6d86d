"""Judged records to Arrow tables: rows of a raw table, rows of the quarantine table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from millrace.contracts.names import OPEN
from millrace.landing.reasons import Reason, Rejected

#: Column of a record -> landing column.
CARRIED = {
    "topic": "kafka_topic",
    "partition": "kafka_partition",
    "offset": "kafka_offset",
    "timestamp": "kafka_at",
    "key": "kafka_key",
    "headers": "kafka_headers",
    "value": "value",
}
#: What an Arrow conversion raises for a value that does not fit.
MISFIT = (pa.ArrowException, OverflowError, TypeError, ValueError)


@dataclass
class Sifted:
    """Verdicts on the values of one contract, by their index."""

    good: list[int] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    schema_ids: list[int | None] = field(default_factory=list)
    bad: list[tuple[int, Rejected]] = field(default_factory=list)


def raw_rows(records: pa.Table, sifted: Sifted, schema: pa.Schema) -> pa.Table:
    """The good records as rows of the raw table; what fits no column joins the bad ones."""
    own = _own_columns(sifted, schema)
    carried = records.take(pa.array(sifted.good, pa.int64()))
    count = carried.num_rows
    columns: dict[str, Any] = {
        **own,
        **{name: carried[source] for source, name in CARRIED.items()},
        "value_sha256": carried["value_sha256"],
        "is_tombstone": pc.is_null(carried["value"]),
        "schema_id": pa.array(sifted.schema_ids, pa.int32()),
        "landed_at": _repeat(_now(), count),
    }
    return _table(columns, schema, count)


def _own_columns(sifted: Sifted, schema: pa.Schema) -> dict[str, pa.Array]:
    """The contract's columns of the good rows."""
    names = {name for row in sifted.rows for name in row} & set(schema.names)
    try:
        return {name: _column(name, sifted.rows, schema) for name in names}
    except MISFIT:
        _reject_misfits(names, sifted, schema)
        return {name: _column(name, sifted.rows, schema) for name in names}


def _column(name: str, rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Array:
    return pa.array([row.get(name) for row in rows], schema.field(name).type)


def _reject_misfits(names: set[str], sifted: Sifted, schema: pa.Schema) -> None:
    """Find the rows that break a whole column: one record must not stop the stream.

    The validator refuses such values; this holds where table and contract differ in a type.
    """
    kept = Sifted(bad=sifted.bad)
    for index, row, schema_id in zip(sifted.good, sifted.rows, sifted.schema_ids, strict=True):
        try:
            for name in names:
                _column(name, [row], schema)
        except MISFIT as error:
            detail = f"{name} does not fit the table's column: {error}"
            kept.bad.append((index, Rejected(Reason.WRONG_TYPE, detail, name, schema_id)))
        else:
            kept.good.append(index)
            kept.rows.append(row)
            kept.schema_ids.append(schema_id)
    sifted.good, sifted.rows, sifted.schema_ids = kept.good, kept.rows, kept.schema_ids


def quarantine_rows(records: pa.Table, sifted: Sifted, dataset: str, schema: pa.Schema) -> pa.Table:
    """The bad records as rows of the quarantine table."""
    carried = records.take(pa.array([index for index, _ in sifted.bad], pa.int64()))
    verdicts = [verdict for _, verdict in sifted.bad]
    count = len(verdicts)
    columns: dict[str, Any] = {
        **{name: carried[source] for source, name in CARRIED.items()},
        "dataset": _repeat(dataset, count),
        "value_sha256": carried["value_sha256"],
        "schema_id": pa.array([each.schema_id for each in verdicts], pa.int64()),
        "reason": pa.array([str(each.reason) for each in verdicts]),
        "detail": pa.array([each.detail for each in verdicts]),
        "field": pa.array([each.field for each in verdicts], pa.string()),
        "status": _repeat(OPEN, count),
        "quarantined_at": _repeat(_now(), count),
    }
    return _table(columns, schema, count)


def _table(columns: Mapping[str, Any], schema: pa.Schema, count: int) -> pa.Table:
    """The columns in the table's order and types; one that nobody fills is null."""
    arrays = [
        columns[each.name].cast(each.type) if each.name in columns else pa.nulls(count, each.type)
        for each in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _repeat(value: Any, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(value), count)


def _now() -> datetime:
    return datetime.now(UTC)
