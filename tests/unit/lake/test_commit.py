"""Commits that are compare and swap, whatever happens on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from millrace.lake import LakeCatalog, commit, hive
from millrace.lake.commit import CommitRefusedError, UnknownResultError, commit_append
from millrace.landing.writer import TableWriter

ROWS = pa.schema([("id", pa.int64())])


@pytest.fixture
def table(lake_catalog: LakeCatalog, tmp_path: Path) -> Table:
    return lake_catalog.create_table("raw.things", ROWS, location=f"file://{tmp_path}/things")


def data_file(table: Table, *ids: int) -> DataFile:
    writer = TableWriter("raw.things", table.metadata, table.io)
    writer.write(pa.table({"id": ids}, schema=writer.arrow_schema))
    return writer.close()[0].data_file()


def append(catalog: LakeCatalog, table: Table, *ids: int, **summary: str) -> Table:
    files = [data_file(table, *ids)] if ids else []
    return commit_append(catalog, table, files, summary, table.metadata.current_snapshot_id)


def rows(catalog: LakeCatalog) -> list[int]:
    ids: list[int] = catalog.load_table("raw.things").scan().to_arrow()["id"].to_pylist()
    return sorted(ids)


def test_an_append_is_one_snapshot_with_its_summary(
    lake_catalog: LakeCatalog, table: Table
) -> None:
    append(lake_catalog, table, 1, 2, note="first")
    (snapshot,) = lake_catalog.load_table("raw.things").snapshots()
    assert snapshot.summary is not None
    assert (snapshot.summary["note"], rows(lake_catalog)) == ("first", [1, 2])


def test_a_commit_without_files_carries_its_summary(
    lake_catalog: LakeCatalog, table: Table
) -> None:
    append(lake_catalog, append(lake_catalog, table, 1), note="empty")
    snapshot = lake_catalog.load_table("raw.things").current_snapshot()
    assert snapshot is not None
    assert snapshot.summary is not None
    assert (snapshot.summary["note"], rows(lake_catalog)) == ("empty", [1])


def test_the_second_of_two_appends_from_one_snapshot_is_refused_and_leaves_no_manifest(
    lake_catalog: LakeCatalog, table: Table, tmp_path: Path
) -> None:
    other = lake_catalog.load_table("raw.things")
    append(lake_catalog, table, 1)
    manifests = sorted(tmp_path.rglob("*.avro"))
    with pytest.raises(CommitRefusedError):
        append(lake_catalog, other, 1)
    assert rows(lake_catalog) == [1]
    assert sorted(tmp_path.rglob("*.avro")) == manifests


def test_a_table_that_was_dropped_and_made_again_refuses_the_append(
    lake_catalog: LakeCatalog, table: Table, tmp_path: Path
) -> None:
    lake_catalog.drop_table("raw.things")
    lake_catalog.create_table("raw.things", ROWS, location=f"file://{tmp_path}/again")
    with pytest.raises(CommitRefusedError):
        append(lake_catalog, table, 1)
    assert rows(lake_catalog) == []


def once(moment: str) -> Any:
    """Break the connection at the first change of a table, at that moment."""
    broken: list[str] = []

    def fail(now: str) -> None:
        if now == moment and not broken:
            broken.append(now)
            raise ConnectionResetError(now)

    return fail


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_connection_that_breaks_around_the_commit_lands_the_rows_once(
    lake_catalog: LakeCatalog, metastore: Any, table: Table, moment: str
) -> None:
    metastore.fail = once(moment)
    committed = append(lake_catalog, table, 1)
    assert rows(lake_catalog) == [1]
    assert len(lake_catalog.load_table("raw.things").snapshots()) == 1
    assert committed.metadata.current_snapshot_id is not None


def test_a_client_that_freezes_inside_the_lock_can_not_overwrite_the_next_ones_commit(
    lake_catalog: LakeCatalog, metastore: Any, table: Table
) -> None:
    other = lake_catalog.load_table("raw.things")

    def freeze(now: str) -> None:
        metastore.fail = lambda moment: None
        metastore.locks.clear()  # the lock times out, and the other client gets it
        append(lake_catalog, other, 7)

    metastore.fail = freeze
    with pytest.raises(CommitRefusedError):
        append(lake_catalog, table, 1)
    assert rows(lake_catalog) == [7]


def test_a_catalog_that_stays_away_leaves_the_result_unknown(
    lake_catalog: LakeCatalog,
    metastore: Any,
    table: Table,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(commit, "LOOK_FOR_S", 0.0)
    monkeypatch.setattr(commit, "LOOK_EVERY_S", 0.0)

    def gone(now: str) -> None:
        raise ConnectionResetError(now)

    metastore.fail = gone
    with pytest.raises(UnknownResultError, match=r"raw\.things"):
        append(lake_catalog, table, 1)


def refuse_after_a_timeout(
    catalog: LakeCatalog, monkeypatch: pytest.MonkeyPatch, lands_at: int
) -> None:
    """The first try times out and stays queued; the later ones do not get the lock meanwhile."""
    real, queued = catalog.commit_table, []

    def scripted(*asked: Any) -> Any:
        queued.append(asked)
        if len(queued) == lands_at:
            real(*queued[0])
        if len(queued) == 1:
            raise TimeoutError
        raise CommitFailedException("the lock is another's")

    monkeypatch.setattr(catalog, "commit_table", scripted)
    monkeypatch.setattr(commit, "LOOK_FOR_S", 0.3)
    monkeypatch.setattr(commit, "LOOK_EVERY_S", 0.01)


def test_a_refusal_after_an_unknown_try_is_not_final_while_the_table_has_not_moved(
    lake_catalog: LakeCatalog, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_after_a_timeout(lake_catalog, monkeypatch, lands_at=4)
    append(lake_catalog, table, 1)
    assert rows(lake_catalog) == [1]


def test_what_may_still_land_keeps_its_manifests(
    lake_catalog: LakeCatalog, table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_after_a_timeout(lake_catalog, monkeypatch, lands_at=0)
    with pytest.raises(UnknownResultError):
        append(lake_catalog, table, 1)
    assert len(list(tmp_path.rglob("*.avro"))) == 2


def test_the_lock_of_a_killed_client_of_ours_is_released_by_whoever_waits(
    lake_catalog: LakeCatalog, metastore: Any, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hive, "STALE_AFTER_S", 0.2)
    metastore.lock(lake_catalog._create_lock_request("raw", "things"))
    append(lake_catalog, table, 1)
    assert (rows(lake_catalog), metastore.locks) == ([1], [])


def test_the_lock_of_another_engine_is_waited_for_and_never_released(
    lake_catalog: LakeCatalog, metastore: Any, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hive, "STALE_AFTER_S", 0.0)
    monkeypatch.setattr(hive, "LOCK_PATIENCE_S", 0.3)
    request = lake_catalog._create_lock_request("raw", "things")
    request.agentInfo = "Iceberg-1234"
    metastore.lock(request)
    with pytest.raises(CommitRefusedError):
        append(lake_catalog, table, 1)
    assert [lock.agentInfo for lock in metastore.locks] == ["Iceberg-1234"]
