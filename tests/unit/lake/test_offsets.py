"""A table's offsets: in its summary, among its ancestors, or in its rows."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pyiceberg.table import Table

from millrace.lake import LakeCatalog
from millrace.lake.commit import commit_append
from millrace.lake.offsets import (
    SUMMARY_KEY,
    TopicOffsets,
    dump,
    of_table,
    parse,
    positions,
    snapshots_beyond,
)

ROWS = pa.schema(
    [("kafka_topic", pa.string()), ("kafka_partition", pa.int32()), ("kafka_offset", pa.int64())]
)
OFFSETS = {"orders": TopicOffsets({0: 12, 1: 0}, "id-1")}


@pytest.fixture
def table(lake_catalog: LakeCatalog, tmp_path: Path) -> Table:
    return lake_catalog.create_table("raw.things", ROWS, location=f"file://{tmp_path}/things")


def land(catalog: LakeCatalog, offsets: dict[str, TopicOffsets]) -> Table:
    table = catalog.load_table("raw.things")
    summary = {SUMMARY_KEY: dump(offsets)}
    return commit_append(catalog, table, [], summary, table.metadata.current_snapshot_id)


def add(table: Table, *places: tuple[str, int, int]) -> None:
    columns = zip(*places, strict=True)
    table.append(pa.Table.from_arrays([pa.array(c) for c in columns], names=ROWS.names).cast(ROWS))


def test_offsets_survive_being_written_down() -> None:
    assert parse(dump(OFFSETS)) == OFFSETS


def test_a_table_that_was_never_landed_has_no_offsets(table: Table) -> None:
    assert of_table(table) == {}


def test_the_current_snapshots_summary_counts(lake_catalog: LakeCatalog, table: Table) -> None:
    assert of_table(land(lake_catalog, OFFSETS)) == OFFSETS


def test_after_a_foreign_commit_the_nearest_landing_snapshot_counts(
    lake_catalog: LakeCatalog, table: Table
) -> None:
    land(lake_catalog, {"orders": TopicOffsets({0: 5}, "id-1")})
    land(lake_catalog, OFFSETS)
    add(lake_catalog.load_table("raw.things"), ("orders", 0, 99))
    assert of_table(lake_catalog.load_table("raw.things")) == OFFSETS


def test_a_rollback_takes_the_offsets_back(lake_catalog: LakeCatalog, table: Table) -> None:
    before = {"orders": TopicOffsets({0: 5}, "id-1")}
    first = land(lake_catalog, before).metadata.current_snapshot_id
    land(lake_catalog, OFFSETS)
    assert first is not None
    rolled = lake_catalog.load_table("raw.things")
    rolled.manage_snapshots().set_current_snapshot(first).commit()
    assert of_table(lake_catalog.load_table("raw.things")) == before


def test_where_no_summary_is_left_the_rows_tell(lake_catalog: LakeCatalog, table: Table) -> None:
    add(table, ("orders", 0, 7), ("orders", 0, 3), ("orders", 1, 0))
    add(lake_catalog.load_table("raw.things"), ("things", 0, 1), ("orders", 0, 5))
    assert of_table(lake_catalog.load_table("raw.things")) == {
        "orders": TopicOffsets({0: 8, 1: 1}),
        "things": TopicOffsets({0: 2}),
    }


def test_positions_are_those_of_the_topic_between_the_bounds(
    lake_catalog: LakeCatalog, table: Table
) -> None:
    add(table, ("orders", 0, 4), ("orders", 1, 5), ("orders", 0, 9), ("things", 0, 5))
    table = lake_catalog.load_table("raw.things")
    assert positions(table, "orders", 4, 9) == {(0, 4), (1, 5)}


def test_positions_can_be_those_of_the_snapshots_beyond_what_another_table_has(
    lake_catalog: LakeCatalog, table: Table
) -> None:
    add(table, ("orders", 0, 4))
    land(lake_catalog, {"orders": TopicOffsets({0: 5}, "id-1")})
    add(lake_catalog.load_table("raw.things"), ("orders", 0, 6))
    table = land(lake_catalog, {"orders": TopicOffsets({0: 8}, "id-1")})
    beyond = snapshots_beyond(table, "orders", TopicOffsets({0: 5}, "id-1"))
    assert positions(table, "orders", 0, 9, beyond) == {(0, 6)}
    assert snapshots_beyond(table, "orders", TopicOffsets({0: 8}, "id-1")) == set()
    assert snapshots_beyond(table, "orders", TopicOffsets({0: 0}, "id-2")) == set()
    assert snapshots_beyond(table, "orders", TopicOffsets({0: 0}, "id-1")) is None


def test_offsets_of_another_topic_id_replace_the_old_ones() -> None:
    before = TopicOffsets({0: 5, 1: 7}, "id-1")
    assert before.advanced({0: 6}, "id-1") == TopicOffsets({0: 6, 1: 7}, "id-1")
    assert before.advanced({0: 6}, "id-2") == TopicOffsets({0: 6}, "id-2")
