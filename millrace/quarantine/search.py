"""Which positions a table has: a raw one, or quarantine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from pyiceberg.expressions import And, EqualTo
from pyiceberg.table import Table

from millrace.lake.offsets import at_offsets
from millrace.quarantine.records import Position


def find_records(
    table: Table, positions: Sequence[Position]
) -> Mapping[Position, Mapping[datetime, str | None]]:
    """Those of the positions that the table has: time in Kafka to SHA-256 of the bytes."""
    if not positions or table.current_snapshot() is None:
        return {}
    wanted = set(positions)
    by_offset = at_offsets({each.offset for each in positions})
    topics = {each.topic for each in positions}
    found: dict[Position, dict[datetime, str | None]] = {}
    for topic in topics:
        columns = ("kafka_topic", "kafka_partition", "kafka_offset", "kafka_at", "value_sha256")
        scan = table.scan(
            And(EqualTo(term="kafka_topic", value=topic), by_offset), selected_fields=columns
        )
        for batch in scan.to_arrow_batch_reader():
            for *place, at, sha in zip(*(batch[name].to_pylist() for name in columns), strict=True):
                position = Position(*place)
                if position in wanted:
                    found.setdefault(position, {})[at] = sha
    return found
