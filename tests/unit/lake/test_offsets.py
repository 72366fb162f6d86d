"""A table's offsets: in its summary, among its ancestors, or lost; and the rows' identities."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pyiceberg.expressions import EqualTo
from pyiceberg.table import Table

from millrace.lake import LakeCatalog
from millrace.lake.commit import commit_append
from millrace.lake.offsets import (
    SUMMARY_KEY,
    TopicOffsets,
    dump,
    identities,
    parse,
    recorded,
)

ROWS = pa.schema(
    [
        ("kafka_topic", pa.string()),
        ("kafka_partition", pa.int32()),
        ("kafka_offset", pa.int64()),
        ("kafka_at", pa.timestamp("us", "UTC")),
    ]
)
OFFSETS = {"orders": TopicOffsets({0: 12, 1: 0}, "id-1", {0: 7})}


@pytest.fixture
def table(lake_catalog: LakeCatalog, tmp_path: Path) -> Table:
    return lake_catalog.create_table("raw.things", ROWS, location=f"file://{tmp_path}/things")


def land(catalog: LakeCatalog, offsets: dict[str, TopicOffsets]) -> Table:
    table = catalog.load_table("raw.things")
    summary = {SUMMARY_KEY: dump(offsets)}
    return commit_append(catalog, table, [], summary, table.metadata.current_snapshot_id)


def add(table: Table, *rows: tuple[str, int, int, int]) -> None:
    records = [dict(zip(ROWS.names, row, strict=True)) for row in rows]
    table.append(pa.Table.from_pylist(records, schema=ROWS))


def test_offsets_survive_being_written_down() -> None:
    assert parse(dump(OFFSETS)) == OFFSETS


def test_a_table_that_was_never_landed_has_no_offsets(table: Table) -> None:
    assert recorded(table) == {}


def test_the_current_snapshots_summary_counts(lake_catalog: LakeCatalog, table: Table) -> None:
    assert recorded(land(lake_catalog, OFFSETS)) == OFFSETS


def test_after_a_foreign_commit_the_nearest_landing_snapshot_counts(
    lake_catalog: LakeCatalog, table: Table
) -> None:
    land(lake_catalog, {"orders": TopicOffsets({0: 5}, "id-1")})
    land(lake_catalog, OFFSETS)
    add(lake_catalog.load_table("raw.things"), ("orders", 0, 99, 0))
    assert recorded(lake_catalog.load_table("raw.things")) == OFFSETS


def test_a_rollback_takes_the_offsets_back(lake_catalog: LakeCatalog, table: Table) -> None:
    before = {"orders": TopicOffsets({0: 5}, "id-1")}
    first = land(lake_catalog, before).metadata.current_snapshot_id
    land(lake_catalog, OFFSETS)
    assert first is not None
    rolled = lake_catalog.load_table("raw.things")
    rolled.manage_snapshots().set_current_snapshot(first).commit()
    assert recorded(lake_catalog.load_table("raw.things")) == before


def test_where_an_expiry_left_no_summary_the_offsets_are_lost(
    lake_catalog: LakeCatalog, table: Table
) -> None:
    land(lake_catalog, OFFSETS)
    add(lake_catalog.load_table("raw.things"), ("orders", 0, 7, 0))
    (landed, _) = lake_catalog.load_table("raw.things").snapshots()
    expiry = lake_catalog.load_table("raw.things").maintenance.expire_snapshots()
    expiry.by_id(landed.snapshot_id).commit()
    assert recorded(lake_catalog.load_table("raw.things")) is None


def test_identities_are_those_of_the_topic_between_the_bounds_that_meet_the_condition(
    lake_catalog: LakeCatalog, table: Table
) -> None:
    rows = [("orders", 0, 4, 11), ("orders", 1, 5, 12), ("orders", 0, 9, 13), ("things", 0, 5, 14)]
    add(table, *rows)
    table = lake_catalog.load_table("raw.things")
    assert identities(table, "orders", 4, 9) == {(0, 4, 11), (1, 5, 12)}
    assert identities(table, "orders", 4, 9, EqualTo(term="kafka_partition", value=1)) == {
        (1, 5, 12)
    }


def test_offsets_of_another_topic_id_replace_the_old_ones() -> None:
    before = TopicOffsets({0: 5, 1: 7}, "id-1")
    assert before.advanced({0: 6}, "id-1") == TopicOffsets({0: 6, 1: 7}, "id-1")
    assert before.advanced({0: 6}, "id-2") == TopicOffsets({0: 6}, "id-2")


def test_what_quarantine_had_is_noted_until_it_is_noted_anew() -> None:
    noted = TopicOffsets({0: 5}, "id-1").advanced({0: 6}, "id-1", {0: 4})
    assert noted.advanced({0: 7}, "id-1") == TopicOffsets({0: 7}, "id-1", {0: 4})
    assert noted.advanced({0: 7}, "id-1", {}) == TopicOffsets({0: 7}, "id-1")
    assert noted.advanced({0: 1}, "id-2") == TopicOffsets({0: 1}, "id-2")
