"""Where landing goes on: the gate between a table's offsets and the log, and unfinished batches.

Pure decisions. The truth is the table's offsets; the log is only asked whether they still fit it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from millrace.lake.offsets import TopicOffsets
from millrace.landing.errors import OffsetsAgedOutError, OffsetsAheadError, TopicRecreatedError

#: partition -> offset
Offsets = dict[int, int]
#: partition -> (first offset, the one after the last)
Ranges = dict[int, tuple[int, int]]


@dataclass(frozen=True)
class LogState:
    """What the broker has of one topic.

    Attributes:
        begins: partition to the first offset that is kept.
        ends: partition to the offset that comes next.
    """

    topic_id: str
    begins: Mapping[int, int]
    ends: Mapping[int, int]


def start_offsets(dataset: str, topic: str, landed: TopicOffsets | None, log: LogState) -> Offsets:
    """Where landing starts in each partition: at 0 where nothing of it was landed.

    Raises:
        TopicRecreatedError: the topic's id is another, or a partition is gone.
        OffsetsAgedOutError: records were deleted before they were landed.
        OffsetsAheadError: the log ends before the table's offsets.
    """
    known = landed.ends if landed else {}
    if landed and known:
        require_topic(dataset, topic, landed.topic_id, log.topic_id)
    starts = {}
    for partition in (*log.begins, *known):
        if partition not in log.begins:
            cause = f"partition {partition} is gone: the topic was created again"
            raise TopicRecreatedError(dataset, topic, cause)
        offset, begin, end = known.get(partition, 0), log.begins[partition], log.ends[partition]
        if offset < begin:
            cause = (
                f"offsets {offset} to {begin - 1} of partition {partition} were deleted by the"
                " topic's retention before they were landed"
            )
            raise OffsetsAgedOutError(dataset, topic, cause)
        if offset > end:
            cause = f"partition {partition} is landed up to {offset}, but the log ends at {end}"
            raise OffsetsAheadError(dataset, topic, cause)
        starts[partition] = offset
    return starts


def require_topic(dataset: str, topic: str, landed_id: str | None, topic_id: str) -> None:
    """Make sure that a topic still is the one that was landed, as far as its id is known.

    Raises:
        TopicRecreatedError: it has another id.
    """
    if landed_id not in (None, topic_id):
        cause = f"it was deleted and created again: {landed_id} is now {topic_id}"
        raise TopicRecreatedError(dataset, topic, cause)


def check_quarantine(
    dataset: str, topic: str, quarantined: TopicOffsets | None, log: LogState
) -> None:
    """Make sure that the log has what quarantine covers of it.

    Raises:
        OffsetsAheadError: the log ends before quarantine's offsets.
    """
    if quarantined is None or not quarantined.may_be_of(log.topic_id):
        return
    for partition, offset in quarantined.ends.items():
        end = log.ends.get(partition, offset)
        if offset > end:
            cause = (
                f"partition {partition} is landed up to {offset} in quarantine,"
                f" but the log ends at {end}"
            )
            raise OffsetsAheadError(dataset, topic, cause)


def agreed(landed: TopicOffsets | None, log: LogState) -> Offsets:
    """The offsets nearest to the landed ones that the log has; its beginning for a new topic.

    What is landed is never before them as long as the log has it, so nothing lands again.
    """
    if landed is None or not landed.may_be_of(log.topic_id):
        return dict(log.begins)
    return {
        partition: max(begin, min(landed.ends.get(partition, begin), log.ends[partition]))
        for partition, begin in log.begins.items()
    }


def unfinished(starts: Offsets, quarantined: TopicOffsets | None, log: LogState) -> Ranges:
    """What quarantine is ahead of the raw table by: a batch that died between its two commits.

    These ranges are landed first, without the records that quarantine has of them, so that a
    record which is judged differently the second time lands in one place only. Offsets of
    another topic id belong to a topic that is gone.
    """
    if quarantined is None or not quarantined.may_be_of(log.topic_id):
        return {}
    return {
        partition: (start, end)
        for partition, start in starts.items()
        if (end := min(quarantined.ends.get(partition, 0), log.ends[partition])) > start
    }


def capped(ranges: Ranges, most: int) -> Ranges:
    """The first part of the ranges, of about `most` records in all."""
    share = max(1, most // max(1, len(ranges)))
    return {
        partition: (start, min(end, start + share)) for partition, (start, end) in ranges.items()
    }


def span(starts: Mapping[int, int], ends: Mapping[int, int]) -> Ranges:
    """The ranges between two sets of offsets, without the empty ones."""
    return {
        partition: (starts.get(partition, 0), end)
        for partition, end in ends.items()
        if end > starts.get(partition, 0)
    }


def records(ranges: Mapping[int, tuple[int, int]]) -> int:
    """How many offsets the ranges cover."""
    return sum(end - start for start, end in ranges.values())
