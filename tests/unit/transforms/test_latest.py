"""The latest version of an entity, by an order that is total."""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame

from spark_jobs.transforms.latest import known_versions, latest_by_key, newer_than

SCHEMA = (
    "id string, updated_at int, source_at int, source_partition int, source_offset int, v string"
)
ORDER = ("updated_at", "source_at", "source_partition", "source_offset")


def found(frame: DataFrame) -> set[tuple[Any, ...]]:
    return {tuple(row) for row in frame.select("id", "v").collect()}


def test_the_latest_event_wins_and_ties_go_to_the_later_record(rows: Any) -> None:
    versions = rows(
        SCHEMA,
        # An event that is told late: the newest record, yet an old state.
        ("late", 1, 9, 0, 9, "old"),
        ("late", 5, 2, 0, 2, "new"),
        # Two states of one moment: the later record in Kafka counts.
        ("same moment", 3, 1, 0, 1, "first"),
        ("same moment", 3, 2, 0, 0, "second"),
        # A batch of the producer: one time in Kafka, the greater offset counts.
        ("same batch", 3, 1, 0, 7, "later"),
        ("same batch", 3, 1, 0, 6, "earlier"),
        # Two partitions, all else equal: any choice does, as long as it is always the same.
        ("two partitions", 3, 1, 0, 5, "zero"),
        ("two partitions", 3, 1, 1, 5, "one"),
        # An event without its time is older than any with one.
        ("no time", None, 9, 0, 9, "unknown"),
        ("no time", 1, 1, 0, 1, "known"),
        ("alone", 1, 1, 0, 1, "only"),
    )
    assert found(latest_by_key(versions, ["id"], ORDER)) == {
        ("late", "new"),
        ("same moment", "second"),
        ("same batch", "later"),
        ("two partitions", "one"),
        ("no time", "known"),
        ("alone", "only"),
    }


def test_a_key_of_two_columns_is_one_key(rows: Any) -> None:
    versions = rows(
        "a string, id string, n int, v string",
        ("x", "1", 1, "x1 old"),
        ("x", "1", 2, "x1 new"),
        ("x", "2", 1, "x2"),
        ("y", "1", 1, "y1"),
    )
    assert found(latest_by_key(versions, ["a", "id"], ["n"])) == {
        ("1", "x1 new"),
        ("2", "x2"),
        ("1", "y1"),
    }


def test_only_records_newer_than_the_held_ones_are_left(rows: Any) -> None:
    held = rows(
        SCHEMA,
        ("replayed", 3, 1, 0, 1, ""),
        ("older", 3, 1, 0, 1, ""),
        ("newer", 3, 1, 0, 1, ""),
        # Two rows of one entity, as lines of an order: the greater version is what is held.
        ("lines", 3, 1, 0, 1, ""),
        ("lines", 5, 1, 0, 9, ""),
    )
    known = known_versions(held, ["id"], ORDER)
    incoming = rows(
        SCHEMA,
        ("replayed", 3, 1, 0, 1, "the very same record"),
        ("older", 2, 9, 0, 9, "an old state told late"),
        ("newer", 4, 0, 0, 0, "a new state"),
        ("lines", 4, 9, 0, 9, "newer than one line, older than the other"),
        ("unknown", 0, 0, 0, 0, "never seen"),
    )
    assert found(newer_than(incoming, known, ["id"], ORDER)) == {
        ("newer", "a new state"),
        ("unknown", "never seen"),
    }
    assert found(newer_than(incoming, known, ["id"], ORDER, or_same=True)) == {
        ("newer", "a new state"),
        ("unknown", "never seen"),
        ("replayed", "the very same record"),
    }


def test_versions_compare_whatever_their_columns_are_called(rows: Any) -> None:
    held = rows("id string, order_updated_at int, v string", ("a", 1, ""))
    known = known_versions(held, ["id"], ["order_updated_at"])
    incoming = rows("id string, updated_at int, v string", ("a", 2, "new"))
    assert found(newer_than(incoming, known, ["id"], ["updated_at"])) == {("a", "new")}
