"""Which records are of a topic that is gone: deleted, and created again under the same name.

A row does not keep the id of its topic. Two facts tell it all the same. The broker stamps a later
time on a position that it gives away again. And what quarantine has of a topic stays below the end
that its offsets record together with the topic's id.

Neither tells where the topic of now has no record at the position and has ended behind it, a
transaction's marker or an aged-out record: nothing of that topic will ever want the position.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from pyiceberg.table import Table

from millrace.lake.offsets import Offsets, TopicOffsets, recorded
from millrace.quarantine.records import Key, Position
from millrace.quarantine.search import find_records


def of_gone_topics(
    raw: Mapping[Position, Mapping[datetime, str | None]],
    quarantine: Table,
    landed: Offsets,
    keys: Sequence[Key],
) -> set[Key]:
    """Those of the records that are not of the topic that raw has landed.

    Args:
        raw: what raw holds at their positions.
        quarantine: loaded after raw: of what raw is landed past it has what raw does not.
        landed: how far raw is landed.
    """
    beside = find_records(quarantine, [key.position for key in keys])
    quarantined = recorded(quarantine) or {}
    found = set()
    for key in keys:
        topic, partition, offset = key.position
        mine = landed.get(topic, TopicOffsets()).topic_id
        known = quarantined.get(topic, TopicOffsets())
        is_beyond = (
            mine is not None and mine == known.topic_id and offset >= known.ends.get(partition, 0)
        )
        times = (*raw.get(key.position, ()), *beside.get(key.position, ()))
        if is_beyond or any(at > key.at for at in times):
            found.add(key)
    return found
