"""Old rows go, young ones and those that somebody has still to read stay: layer by layer."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Operation

from millrace.contracts.names import QUARANTINE_TABLE, RETENTION_DAYS
from millrace.lake.commit import commit_append
from millrace.lake.files import read_files
from millrace.lake.offsets import recorded
from millrace.maintenance.lake import Lake
from millrace.maintenance.retention import plan_retention
from millrace.maintenance.rules import COLUMN
from millrace.processed import READ_UP_TO
from tests.unit.maintenance.conftest import DAY, Topic, data_files, written

NOW = datetime.now(UTC)


def age(lake: Lake, name: str) -> str:
    work = plan_retention(lake, name)
    return work.perform() if work.perform else work.would


def made(topic: Topic, name: str, column: str, ages: list[timedelta | None], **more: str) -> Table:
    """A table with a row of each age; its id is its number."""
    schema = pa.schema([("id", pa.int64()), (column, pa.timestamp("us", "UTC"))])
    place = f"file://{topic.folder}/{name}"
    table = topic.catalog.create_table(name, schema, location=place, properties=more)
    rows = [
        {"id": number, column: None if each is None else NOW - each}
        for number, each in enumerate(ages)
    ]
    for half in (rows[:1], rows[1:]):
        files = [each.data_file() for each in written(table, name, half)]
        at = table.metadata.current_snapshot_id
        table = commit_append(topic.catalog, table, files, {}, at)
    return table


def left(topic: Topic, name: str) -> list[int]:
    found: list[int] = topic.table(name).scan().to_arrow()["id"].to_pylist()
    return sorted(found)


def read_all(topic: Topic) -> None:
    """The processed table of the topic has read the raw table."""
    schema = pa.schema([("visit_id", pa.string())])
    place = f"file://{topic.folder}/processed.visits"
    table = topic.catalog.create_table_if_not_exists("processed.visits", schema, location=place)
    note = {READ_UP_TO: json.dumps({"raw.visits": topic.table().metadata.current_snapshot_id})}
    commit_append(topic.catalog, table, [], note, table.metadata.current_snapshot_id)


def test_old_days_of_a_raw_table_go_whole_and_young_ones_stay(topic: Topic, lake_now: Lake) -> None:
    topic.land(100 * DAY, 92 * DAY, 89 * DAY, 0 * DAY)
    read_all(topic)
    before = {file.file_path for file in data_files(topic.table())}
    assert "2 files with 2 rows" in plan_retention(lake_now, "raw.visits").would
    age(lake_now, "raw.visits")
    table = topic.table()
    assert topic.offsets() == [2, 3]
    assert {file.file_path for file in data_files(table)} < before, "no file is written anew"
    snapshot = table.current_snapshot()
    assert snapshot is not None and snapshot.summary is not None
    # Readers of what is new pass over it.
    assert snapshot.summary.operation == Operation.DELETE
    known = recorded(table)
    assert known is not None
    assert known["visits"].ends == {0: 4}


def test_a_contract_says_how_long_its_rows_stay(topic: Topic, lake_now: Lake) -> None:
    contract = lake_now.contracts["visits"]
    lake_now.contracts = {"visits": type(contract)(**{**vars(contract), "retention_days": 365})}
    topic.land(300 * DAY, 400 * DAY)
    read_all(topic)
    age(lake_now, "raw.visits")
    assert topic.offsets() == [0]


def test_a_second_run_finds_nothing_and_landing_goes_on(topic: Topic, lake_now: Lake) -> None:
    topic.land(100 * DAY, 0 * DAY)
    read_all(topic)
    age(lake_now, "raw.visits")
    assert plan_retention(lake_now, "raw.visits").perform is None
    topic.land(0 * DAY)
    assert topic.offsets() == [1, 2]


def test_rows_that_a_processed_table_has_not_read_stay(topic: Topic, lake_now: Lake) -> None:
    topic.land(100 * DAY)
    read_all(topic)
    topic.land(100 * DAY)
    work = plan_retention(lake_now, "raw.visits")
    assert any("processed.visits has not read them yet" in each for each in work.kept)
    age(lake_now, "raw.visits")
    assert topic.offsets() == [1]


def test_a_replayed_record_stays_as_long_as_any_other_after_its_landing(
    topic: Topic, lake_now: Lake
) -> None:
    topic.land(100 * DAY, landed=1 * DAY)
    topic.land(100 * DAY)
    read_all(topic)
    age(lake_now, "raw.visits")
    assert topic.offsets() == [0]


def test_a_raw_table_that_lost_its_offsets_keeps_its_rows(topic: Topic, lake_now: Lake) -> None:
    """They could only be rebuilt from the rows."""
    table = topic.table()
    rows = [{"kafka_offset": 0, "kafka_at": NOW - 100 * DAY, "landed_at": NOW - 100 * DAY}]
    files = [each.data_file() for each in written(table, "raw.visits", rows)]
    commit_append(topic.catalog, table, files, {}, None)
    work = plan_retention(lake_now, "raw.visits")
    assert work.perform is None
    assert "landing rebuild visits" in work.kept[0]


def test_open_rows_of_quarantine_never_go_and_resolved_ones_do(
    topic: Topic, lake_now: Lake
) -> None:
    old, young = NOW - 100 * DAY, NOW - 1 * DAY
    topic.quarantine(
        {"kafka_offset": 0, "status": "open", "quarantined_at": old},
        {"kafka_offset": 1, "status": "replayed", "quarantined_at": old, "resolved_at": old},
        {"kafka_offset": 2, "status": "discarded", "quarantined_at": old, "resolved_at": old},
        {"kafka_offset": 3, "status": "discarded", "quarantined_at": old, "resolved_at": young},
        {
            "kafka_offset": 4,
            "status": "open",
            "quarantined_at": young,
            "kafka_headers": [{"key": "k", "value": b"v"}],
        },
    )
    work = plan_retention(lake_now, QUARANTINE_TABLE)
    assert "2 rows of 1 file" in work.would
    assert work.kept == ("keeps 1 open row of more than 97 days: bin/millrace quarantine list",)
    age(lake_now, QUARANTINE_TABLE)
    rows = topic.table(QUARANTINE_TABLE).scan().to_arrow().sort_by("kafka_offset")
    assert rows["kafka_offset"].to_pylist() == [0, 3, 4]
    # As they are in the files: PyIceberg would read null headers as none at all.
    files = list(topic.table(QUARANTINE_TABLE).scan().plan_files())
    headers = pa.concat_tables(read_files(topic.table(QUARANTINE_TABLE), files))["kafka_headers"]
    assert headers.to_pylist() == [None, None, [{"key": "k", "value": b"v"}]]
    assert recorded(topic.table(QUARANTINE_TABLE)) is not None


def test_events_go_from_processed_when_they_are_gone_from_the_marts_made_of_them(
    topic: Topic, lake_now: Lake
) -> None:
    """A row without a time has no age; mixed files are written anew without what is old."""
    made(topic, "processed.visits", "source_at", [400 * DAY, 366 * DAY, 364 * DAY, None, 0 * DAY])
    work = plan_retention(lake_now, "processed.visits")
    assert "1 file with 1 row" in work.would
    assert "1 row of 1 file with 4 rows" in work.would
    age(lake_now, "processed.visits")
    assert left(topic, "processed.visits") == [2, 3, 4]


def test_current_rows_of_an_entity_stay_whatever_their_age(topic: Topic, lake_now: Lake) -> None:
    made(topic, "processed.pages", "source_at", [4000 * DAY, 0 * DAY])
    work = plan_retention(lake_now, "processed.pages")
    assert (work.would, work.perform) == ("nothing", None)
    assert "entity" in work.kept[0]


@pytest.mark.parametrize(
    ("name", "days"), [("processed.clicks", 180), ("marts.clicks", 365), ("analytics.clicks", 365)]
)
def test_a_table_that_names_its_column_is_kept_as_long_as_its_layer(
    topic: Topic, lake_now: Lake, name: str, days: int
) -> None:
    ages: list[timedelta | None] = [(days + 1) * DAY, (days + 2) * DAY, (days - 1) * DAY]
    made(topic, name, "clicked_at", ages, **{COLUMN: "clicked_at"})
    age(lake_now, name)
    assert left(topic, name) == [2]


def test_a_table_that_names_its_days_is_kept_for_them(topic: Topic, lake_now: Lake) -> None:
    names = {COLUMN: "clicked_at", RETENTION_DAYS: "10"}
    made(topic, "marts.clicks", "clicked_at", [11 * DAY, 9 * DAY], **names)
    age(lake_now, "marts.clicks")
    assert left(topic, "marts.clicks") == [1]


def test_a_mart_without_a_column_of_its_own_is_left_to_its_build(
    topic: Topic, lake_now: Lake
) -> None:
    made(topic, "marts.fact_visits", "visited_at", [4000 * DAY, 0 * DAY])
    assert plan_retention(lake_now, "marts.fact_visits").perform is None


def test_a_writer_that_comes_between_loses_no_row(
    topic: Topic, lake_now: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rewrite of a mixed file is refused, its file deleted, and done again with the new row."""
    ages: list[timedelta | None] = [400 * DAY, 400 * DAY, 0 * DAY]
    made(topic, "marts.clicks", "clicked_at", ages, **{COLUMN: "clicked_at"})
    real = topic.catalog.commit_table

    def race(*asked: object) -> object:
        monkeypatch.setattr(topic.catalog, "commit_table", real)
        table = topic.table("marts.clicks")
        row = {"id": 7, "clicked_at": NOW}
        files = [each.data_file() for each in written(table, "marts.clicks", [row])]
        commit_append(topic.catalog, table, files, {}, table.metadata.current_snapshot_id)
        return real(*asked)  # type: ignore[arg-type]

    monkeypatch.setattr(topic.catalog, "commit_table", race)
    age(lake_now, "marts.clicks")
    assert left(topic, "marts.clicks") == [2, 7]
    stored = list((topic.folder / "marts.clicks" / "data").rglob("*.parquet"))
    assert len(stored) == 4, "two made, the other writer's, and one rewritten"
