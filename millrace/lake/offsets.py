"""How far a table has landed each topic: the table itself is the checkpoint.

The summary of a landing snapshot holds, under `millrace.offsets`, the next offset of every
partition and Kafka's id of the topic. Because it is part of the snapshot it rolls back with it.
After a foreign commit (a compaction) the nearest ancestor that has the key counts; where an expiry
has left no ancestor with it, the offsets are lost, which is said and not guessed over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.expressions import (
    AlwaysTrue,
    And,
    BooleanExpression,
    EqualTo,
    GreaterThanOrEqual,
    In,
    LessThan,
    LessThanOrEqual,
)
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

SUMMARY_KEY = "millrace.offsets"
POSITION_COLUMNS = ("kafka_topic", "kafka_partition", "kafka_offset")
IDENTITY_COLUMNS = ("kafka_partition", "kafka_offset", "kafka_at")

#: So many offsets are looked for by name, which reads the fewest files; more by their range.
NAMED = 200

#: (partition, offset, microseconds since the epoch). A position alone does not tell a record from
#: the one that had it in a topic that is gone, or before the broker lost its log's end; the time
#: that the broker stamped does.
Identity = tuple[int, int, int]


@dataclass(frozen=True)
class TopicOffsets:
    """How far one topic is landed.

    Attributes:
        ends: partition to the offset that comes next.
        topic_id: Kafka's id of the topic, which a re-created topic does not share; None where
            it is not known.
        quarantined: the ends that the quarantine table had when a raw table was landed so far;
            a quarantine table that has less was rolled back.
        driver: which one landed last; a batch of another does not fit any more.
    """

    ends: Mapping[int, int] = field(default_factory=dict)
    topic_id: str | None = None
    quarantined: Mapping[int, int] = field(default_factory=dict)
    driver: str | None = None

    def may_be_of(self, topic_id: str) -> bool:
        """Whether they are of the topic with this id, as far as they tell."""
        return self.topic_id in (None, topic_id)

    def advanced(
        self,
        ends: Mapping[int, int],
        topic_id: str | None,
        quarantined: Mapping[int, int] | None = None,
    ) -> TopicOffsets:
        """These offsets with the given partitions moved to new ends.

        Of another topic than before nothing is kept: it may have fewer partitions.
        """
        if topic_id not in (None, self.topic_id):
            return TopicOffsets(dict(ends), topic_id, dict(quarantined or {}))
        noted = self.quarantined if quarantined is None else quarantined
        return TopicOffsets({**self.ends, **ends}, topic_id or self.topic_id, dict(noted))


#: topic -> how far it is landed
Offsets = dict[str, TopicOffsets]


def dump(offsets: Mapping[str, TopicOffsets]) -> str:
    """The value of the summary key."""
    return json.dumps(
        {
            topic: {
                "topic_id": each.topic_id,
                "offsets": {str(part): end for part, end in sorted(each.ends.items())},
                "quarantined": {str(part): end for part, end in sorted(each.quarantined.items())},
                "driver": each.driver,
            }
            for topic, each in sorted(offsets.items())
        },
        separators=(",", ":"),
    )


def parse(text: str) -> Offsets:
    """The offsets of a summary's value."""
    return {
        topic: TopicOffsets(
            _by_partition(entry["offsets"]),
            entry.get("topic_id"),
            _by_partition(entry.get("quarantined", {})),
            entry.get("driver"),
        )
        for topic, entry in json.loads(text).items()
    }


def _by_partition(entry: Mapping[str, int]) -> dict[int, int]:
    return {int(partition): int(end) for partition, end in entry.items()}


def ancestors(table: Table) -> Iterator[Snapshot]:
    """The current snapshot and those before it, as far as they are kept."""
    snapshot = table.current_snapshot()
    while snapshot is not None:
        yield snapshot
        parent = snapshot.parent_snapshot_id
        snapshot = table.snapshot_by_id(parent) if parent is not None else None


def recorded_text(table: Table) -> str | None:
    """The summary's value in the nearest ancestor that has one, None where none is kept."""
    for snapshot in ancestors(table):
        text: str | None = snapshot.summary.get(SUMMARY_KEY) if snapshot.summary else None
        if text is not None:
            return text
    return None


def recorded(table: Table) -> Offsets | None:
    """How far the table has landed each topic, by its nearest landing snapshot.

    Returns:
        Empty for a table without a snapshot; None where snapshots are kept and none of them
        tells: the history was cut behind a foreign commit.
    """
    if table.current_snapshot() is None:
        return {}
    text = recorded_text(table)
    return None if text is None else parse(text)


def identities(
    table: Table, topic: str, low: int, high: int, only: BooleanExpression | None = None
) -> set[Identity]:
    """The identities of the table's rows of a topic with low <= offset < high.

    Args:
        only: a further condition on the rows.
    """
    wanted = And(
        EqualTo(term="kafka_topic", value=topic),
        GreaterThanOrEqual(term="kafka_offset", value=low),
        LessThan(term="kafka_offset", value=high),
        only or AlwaysTrue(),
    )
    rows = table.scan(row_filter=wanted, selected_fields=IDENTITY_COLUMNS).to_arrow()
    return set(zip(*(column.to_pylist() for column in identity_columns(rows)), strict=True))


def identities_at(table: Table, topic: str, places: Set[tuple[int, int]]) -> set[Identity]:
    """The identities of the table's rows of a topic at these partitions and offsets."""
    found: set[Identity] = set()
    for rows in rows_at(table, topic, {offset for _, offset in places}, IDENTITY_COLUMNS):
        columns = (column.to_pylist() for column in identity_columns(rows))
        found.update(row for row in zip(*columns, strict=True) if row[:2] in places)
    return found


def rows_at(
    table: Table, topic: str, offsets: Set[int], columns: tuple[str, ...]
) -> Iterator[pa.RecordBatch]:
    """The table's rows of a topic at these offsets, some thousand at a time.

    Args:
        columns: which to read, `kafka_offset` among them.
    """
    wanted = And(EqualTo(term="kafka_topic", value=topic), _at_offsets(offsets))
    scan = table.scan(row_filter=wanted, selected_fields=columns)
    for batch in scan.to_arrow_batch_reader():
        # Where the offsets are many, the scan gives all that is between them.
        yield batch.filter(pc.is_in(batch["kafka_offset"], pa.array(offsets, pa.int64())))


def _at_offsets(offsets: Set[int]) -> BooleanExpression:
    """The condition of rows at these offsets, and, where they are many, at some between them."""
    if len(offsets) <= NAMED:
        return In(term="kafka_offset", literals=offsets)
    return And(
        GreaterThanOrEqual(term="kafka_offset", value=min(offsets)),
        LessThanOrEqual(term="kafka_offset", value=max(offsets)),
    )


def identity_columns(rows: pa.Table | pa.RecordBatch) -> tuple[pa.ChunkedArray | pa.Array, ...]:
    """Partition, offset and microseconds of rows with the landing columns."""
    partition, offset, at = (rows[name] for name in IDENTITY_COLUMNS)
    return partition, offset, at.cast(pa.timestamp("us", "UTC")).cast(pa.int64())
