"""How far a table has landed each topic: the table itself is the checkpoint.

The summary of a landing snapshot holds, under `millrace.offsets`, the next offset of every
partition and Kafka's id of the topic. Because it is part of the snapshot it rolls back with it.
After a foreign commit (a compaction, an expiry) the nearest ancestor that has the key counts; where
no ancestor has it any more, the offsets are rebuilt from the rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pyarrow as pa
from pyiceberg.expressions import And, EqualTo, GreaterThanOrEqual, LessThan
from pyiceberg.io.pyarrow import ArrowScan
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

SUMMARY_KEY = "millrace.offsets"
POSITION_COLUMNS = ("kafka_topic", "kafka_partition", "kafka_offset")


@dataclass(frozen=True)
class TopicOffsets:
    """How far one topic is landed.

    Attributes:
        ends: partition to the offset that comes next.
        topic_id: Kafka's id of the topic, which a re-created topic does not share; None where
            the offsets were rebuilt from rows.
    """

    ends: Mapping[int, int] = field(default_factory=dict)
    topic_id: str | None = None

    def may_be_of(self, topic_id: str) -> bool:
        """Whether they are of the topic with this id, as far as they tell."""
        return self.topic_id in (None, topic_id)

    def advanced(self, ends: Mapping[int, int], topic_id: str | None) -> TopicOffsets:
        """These offsets with the given partitions moved to new ends.

        Of another topic than before nothing is kept: it may have fewer partitions.
        """
        if topic_id not in (None, self.topic_id):
            return TopicOffsets(dict(ends), topic_id)
        return TopicOffsets({**self.ends, **ends}, topic_id or self.topic_id)


#: topic -> how far it is landed
Offsets = dict[str, TopicOffsets]


def dump(offsets: Mapping[str, TopicOffsets]) -> str:
    """The value of the summary key."""
    return json.dumps(
        {
            topic: {
                "topic_id": each.topic_id,
                "offsets": {str(partition): end for partition, end in sorted(each.ends.items())},
            }
            for topic, each in sorted(offsets.items())
        },
        separators=(",", ":"),
    )


def parse(text: str) -> Offsets:
    """The offsets of a summary's value."""
    return {
        topic: TopicOffsets(
            {int(partition): int(end) for partition, end in entry["offsets"].items()},
            entry.get("topic_id"),
        )
        for topic, entry in json.loads(text).items()
    }


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
    """The offsets of the nearest landing snapshot, None where none is kept."""
    text = recorded_text(table)
    return None if text is None else parse(text)


def rebuilt(table: Table) -> Offsets:
    """The offsets that the rows imply: one past the greatest of each partition.

    Records between there and the true end were quarantined; they stay there, because landing
    leaves out what the quarantine holds.
    """
    greatest: dict[tuple[str, int], int] = {}
    for batch in table.scan(selected_fields=POSITION_COLUMNS).to_arrow_batch_reader():
        grouped = pa.Table.from_batches([batch]).group_by(list(POSITION_COLUMNS[:2]))
        for row in grouped.aggregate([("kafka_offset", "max")]).to_pylist():
            key = (row["kafka_topic"], row["kafka_partition"])
            greatest[key] = max(greatest.get(key, -1), row["kafka_offset_max"])
    offsets: Offsets = {}
    for (topic, partition), offset in greatest.items():
        offsets[topic] = offsets.get(topic, TopicOffsets()).advanced({partition: offset + 1}, None)
    return offsets


def of_table(table: Table) -> Offsets:
    """How far the table has landed each topic; empty for a table that was never landed."""
    if table.current_snapshot() is None:
        return {}
    known = recorded(table)
    return rebuilt(table) if known is None else known


def snapshots_beyond(table: Table, topic: str, landed: TopicOffsets) -> set[int] | None:
    """The newest snapshots, back to the one whose offsets of the topic are landed elsewhere too.

    Offsets of another topic id end the search as well: they are of a topic that is gone.

    Args:
        landed: how far the topic is landed there, with its present id.

    Returns:
        Ids of snapshots; None where no kept snapshot is old enough.
    """
    found: set[int] = set()
    for snapshot in ancestors(table):
        text = snapshot.summary.get(SUMMARY_KEY) if snapshot.summary else None
        if text is not None:
            known = parse(text).get(topic, TopicOffsets())
            other = landed.topic_id is not None and not known.may_be_of(landed.topic_id)
            if other or all(end <= landed.ends.get(part, end) for part, end in known.ends.items()):
                return found
        found.add(snapshot.snapshot_id)
    return None


def positions(
    table: Table, topic: str, low: int, high: int, added_by: set[int] | None = None
) -> set[tuple[int, int]]:
    """(partition, offset) of the table's rows of a topic with low <= offset < high.

    Args:
        added_by: only rows of files that these snapshots added; None for all.
    """
    wanted = And(
        EqualTo(term="kafka_topic", value=topic),
        GreaterThanOrEqual(term="kafka_offset", value=low),
        LessThan(term="kafka_offset", value=high),
    )
    scan = table.scan(row_filter=wanted, selected_fields=POSITION_COLUMNS)
    tasks = list(scan.plan_files())
    if added_by is not None:
        paths = _paths_added_by(table, added_by)
        tasks = [task for task in tasks if task.file.file_path in paths]
    reader = ArrowScan(table.metadata, table.io, scan.projection(), scan.row_filter)
    rows = reader.to_table(tasks)
    return set(
        zip(rows["kafka_partition"].to_pylist(), rows["kafka_offset"].to_pylist(), strict=True)
    )


def _paths_added_by(table: Table, snapshots: set[int]) -> set[str]:
    """The live data files that the snapshots added."""
    current = table.current_snapshot()
    return {
        entry.data_file.file_path
        for manifest in (current.manifests(table.io) if current else [])
        if manifest.added_snapshot_id in snapshots
        for entry in manifest.fetch_manifest_entry(table.io)
        if entry.snapshot_id in snapshots
    }
