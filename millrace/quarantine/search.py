"""Which positions a table has: a raw one, or quarantine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from pyiceberg.table import Table

from millrace.lake.offsets import rows_at
from millrace.quarantine.records import Position


def find_records(
    table: Table, positions: Sequence[Position]
) -> Mapping[Position, Mapping[datetime, str | None]]:
    """Those of the positions that the table has: time in Kafka to SHA-256 of the bytes."""
    if not positions or table.current_snapshot() is None:
        return {}
    wanted = set(positions)
    offsets = {each.offset for each in positions}
    columns = ("kafka_topic", "kafka_partition", "kafka_offset", "kafka_at", "value_sha256")
    found: dict[Position, dict[datetime, str | None]] = {}
    for topic in {each.topic for each in positions}:
        for rows in rows_at(table, topic, offsets, columns):
            for *place, at, sha in zip(*(rows[name].to_pylist() for name in columns), strict=True):
                position = Position(*place)
                if position in wanted:
                    found.setdefault(position, {})[at] = sha
    return found
