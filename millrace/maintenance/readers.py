"""Who still needs which snapshots of a table.

A processed table reads the raw snapshots that are new to it, from the one it read last. Landing
finds its offsets in the nearest snapshot that has them, and while quarantine is ahead of a raw
table, a batch is unfinished: quarantine can then be rolled back to what raw has.
"""

from __future__ import annotations

import json

from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from millrace.contracts.names import QUARANTINE_TABLE
from millrace.lake.offsets import SUMMARY_KEY, TopicOffsets, parse, recorded
from millrace.maintenance.lake import Lake, line, note
from millrace.processed import READ_UP_TO, processed_tables


def read_last(lake: Lake, raw_name: str) -> dict[str, int | None]:
    """Processed table to the snapshot of the raw table that it has read up to.

    A table that does not exist yet, or has read nothing, is None: it will read the whole table.
    """
    found: dict[str, int | None] = {}
    for each in processed_tables(lake.contracts.values()):
        if each.contract.raw_table == raw_name:
            table = lake.find(each.identifier)
            found[each.identifier] = None if table is None else _position(table, raw_name)
    return found


def _position(processed: Table, raw_name: str) -> int | None:
    for snapshot in line(processed):
        text = note(snapshot, READ_UP_TO)
        if text is not None:
            position: int | None = json.loads(text).get(raw_name)
            return position
    return None


def unread(table: Table, read: int | None) -> set[int]:
    """The snapshots after the one that was read; all of them where it is none of the line."""
    found: set[int] = set()
    for snapshot in line(table):
        if snapshot.snapshot_id == read:
            return found
        found.add(snapshot.snapshot_id)
    return found


def needed_by_landing(lake: Lake, name: str, table: Table) -> tuple[set[int], str]:
    """The newest snapshots that landing looks into at its next start, and why.

    Of every landed table the nearest one with offsets, and what stands between: a gap would hide
    it. Of quarantine all back to the one whose offsets raw has, topic by topic.
    """
    wanted = 1
    if name == QUARANTINE_TABLE:
        snapshots = list(line(table))
        for contract in lake.contracts.values():
            raw = lake.find(contract.raw_table)
            landed = (recorded(raw) or {} if raw is not None else {}).get(contract.topic)
            wanted = max(wanted, _back_to(snapshots, contract.topic, landed))
    found: set[int] = set()
    for snapshot in line(table):
        found.add(snapshot.snapshot_id)
        if note(snapshot, SUMMARY_KEY) is not None and len(found) >= wanted:
            return found, "the landing's offsets"
    return (found, "the landing's offsets, perhaps") if wanted > 1 else (set(), "")


def _back_to(snapshots: list[Snapshot], topic: str, landed: TopicOffsets | None) -> int:
    """How many of the newest snapshots go back to one whose offsets of the topic are landed."""
    for number, snapshot in enumerate(snapshots, start=1):
        text = note(snapshot, SUMMARY_KEY)
        if text is None:
            continue
        known = parse(text).get(topic, TopicOffsets())
        if landed is not None and landed.topic_id and not known.may_be_of(landed.topic_id):
            return number  # of a topic that is gone
        ends = landed.ends if landed is not None else {}
        if all(end <= ends.get(part, 0) for part, end in known.ends.items()):
            return number
    return len(snapshots)
