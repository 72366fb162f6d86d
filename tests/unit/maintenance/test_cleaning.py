"""Orphans go, files in use stay; one maintenance at a time; a run ends with its own summary."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from millrace.errors import TransientError
from millrace.lake.commit import commit_append
from millrace.maintenance import orphans
from millrace.maintenance.compact import plan_compact, plan_manifests
from millrace.maintenance.errors import NamesDifferError, SharedFolderError, UnknownTableError
from millrace.maintenance.lake import Lake
from millrace.maintenance.lock import table_lock
from millrace.maintenance.orphans import plan_orphans
from millrace.maintenance.run import STEPS, maintain
from millrace.maintenance.trino import TrinoEngine
from millrace.services import Trino
from millrace.settings import Maintenance, Settings
from tests.unit.maintenance.conftest import DAY, Foreign, Topic, data_files, written

GOLDEN = Path(__file__).parents[2] / "golden" / "errors"

NONE = 0 * DAY


def clean(lake: Lake, name: str = "raw.visits") -> str:
    work = plan_orphans(lake, name)
    return work.perform() if work.perform else work.would


def age_file(path: Path, hours: float) -> None:
    then = time.time() - hours * 3600
    os.utime(path, (then, then))


def test_an_old_orphan_goes_and_an_uncommitted_young_file_survives(
    topic: Topic, lake_now: Lake
) -> None:
    topic.land(NONE)
    rows = [{"kafka_offset": 1, "kafka_at": None, "landed_at": None}]
    old, young = (written(topic.table(), "raw.visits", rows)[0] for _ in range(2))
    age_file(Path(old.path.removeprefix("file://")), 100)
    for file in data_files(topic.table()):
        age_file(Path(file.file_path.removeprefix("file://")), 100)
    work = plan_orphans(lake_now, "raw.visits")
    assert work.would.startswith("1 file with")
    assert "younger than 72 h: a job may need them" in work.kept[0]
    clean(lake_now)
    assert not Path(old.path.removeprefix("file://")).exists()
    # The batch that wrote it commits now.
    table = topic.table()
    commit_append(topic.catalog, table, [young.data_file()], {}, table.metadata.current_snapshot_id)
    assert topic.offsets() == [0, 1]
    assert plan_orphans(lake_now, "raw.visits").perform is None


def test_nothing_of_a_kept_snapshot_is_an_orphan(topic: Topic, lake: Lake) -> None:
    """Five days later every file is old; those of tagged and older snapshots still stay."""
    for _ in range(3):
        topic.land(NONE)
    table = topic.table()
    with table.manage_snapshots() as change:
        change.create_tag(table.snapshots()[0].snapshot_id, "audited")
    Foreign(topic.catalog).execute('alter table "iceberg"."raw"."visits" execute optimize()')
    clean(lake)
    for snapshot in topic.table().snapshots():
        rows = topic.table().scan(snapshot_id=snapshot.snapshot_id).to_arrow()
        assert rows.num_rows > 0
    assert plan_orphans(lake, "raw.visits").perform is None


def test_the_files_of_expired_snapshots_go_with_the_orphans(
    topic: Topic, lake: Lake, tmp_path: Path
) -> None:
    for _ in range(6):
        topic.land(NONE)
    lines: list[str] = []
    assert not maintain(lake, tmp_path / "locks", lines.append, ["raw.visits"])
    folder = topic.folder / "raw.visits"
    assert len(list(folder.rglob("*.parquet"))) == 1
    assert topic.offsets() == list(range(6))
    assert any("deleted" in each for each in lines), lines


def committed_as(topic: Topic, old: str, new: str) -> None:
    """A live data file that the metadata names otherwise than the folder."""
    table = topic.table()
    file = written(table, "raw.visits", [{"kafka_offset": 9}])[0]
    named = type(file)(**{**vars(file), "path": file.path.replace(old, new)})
    commit_append(topic.catalog, table, [named.data_file()], {}, table.metadata.current_snapshot_id)


@pytest.mark.parametrize("name", ["s3a://data-lake/", "hdfs://127.0.0.1:8020/", "file://other/"])
def test_two_names_of_a_store_refuse_every_deletion(topic: Topic, lake: Lake, name: str) -> None:
    topic.land(NONE)
    stray = topic.folder / "raw.visits" / "data" / "stray.parquet"
    stray.write_bytes(b"old")
    committed_as(topic, "file:///", name)
    with pytest.raises(NamesDifferError, match="by another scheme or host"):
        plan_orphans(lake, "raw.visits")
    assert stray.exists()


def test_a_folder_of_two_tables_is_not_cleaned(topic: Topic, lake: Lake) -> None:
    topic.land(NONE)
    schema = topic.table().schema()
    within = f"file://{topic.folder}/raw.visits/copy"
    topic.catalog.create_table("raw.copy", schema, location=within)
    with pytest.raises(SharedFolderError):
        plan_orphans(lake, "raw.copy")
    with pytest.raises(SharedFolderError) as refused:
        plan_orphans(lake, "raw.visits")
    said = f"error: {refused.value}\n".replace(f"file://{topic.folder}", "<folder>")
    assert said == (GOLDEN / "maintain_shared_folder.txt").read_text()


def test_a_file_that_is_committed_while_the_folder_is_listed_stays(
    topic: Topic, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic.land(NONE)
    real = orphans.stored_files

    def slow(*asked: Any) -> Any:
        found = list(real(*asked))
        monkeypatch.setattr(orphans, "stored_files", real)
        topic.land(NONE)
        return [*found, *real(*asked)]

    monkeypatch.setattr(orphans, "stored_files", slow)
    clean(lake)
    assert topic.offsets() == [0, 1]


def test_orphans_are_never_younger_than_the_longest_job() -> None:
    with pytest.raises(ValidationError, match="files in use would go"):
        Maintenance(longest_job_hours=24, orphan_hours=23)
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        Maintenance(longest_job_hours=0, orphan_hours=0)


def test_few_files_are_left_as_they_are_and_many_are_put_together(
    topic: Topic, lake: Lake, engine: Foreign
) -> None:
    for _ in range(4):
        topic.land(NONE)
    assert plan_compact(lake, "raw.visits").perform is None
    topic.land(NONE)
    work = plan_compact(lake, "raw.visits")
    assert work.would.startswith("5 small files")
    assert work.perform is not None
    assert work.perform() == "5 files became 1"
    (statement,) = engine.statements
    assert "where kafka_at >= timestamp '" in statement
    assert plan_compact(lake, "raw.visits").perform is None


def test_landing_between_a_rewrite_and_what_it_carries_on_loses_nothing(
    topic: Topic, lake: Lake, engine: Foreign
) -> None:
    engine.before = lambda: topic.land(NONE)
    for plan in (plan_compact, plan_manifests):
        for _ in range(8):
            topic.land(NONE)
        work = plan(lake, "raw.visits")
        assert work.perform is not None
        work.perform()
        topic.land(NONE)
    assert topic.offsets() == list(range(topic.end))


def test_two_maintenances_of_a_table_do_not_fight(topic: Topic, lake: Lake, tmp_path: Path) -> None:
    topic.land(NONE)
    lines: list[str] = []
    with table_lock(tmp_path, "raw.visits") as holder:
        assert holder is None
        assert not maintain(lake, tmp_path, lines.append, ["raw.visits"])
    assert lines[1] == f"  left alone: process {os.getpid()} is maintaining it"
    with table_lock(tmp_path, "raw.visits") as holder:
        assert holder is None


def test_a_dry_run_changes_nothing_and_says_each_step(
    topic: Topic, lake: Lake, tmp_path: Path
) -> None:
    for _ in range(6):
        topic.land(200 * DAY)
    before = topic.table().metadata_location, sorted(topic.folder.rglob("*"))
    lines: list[str] = []
    maintain(lake, tmp_path / "locks", lines.append, dry_run=True)
    assert (topic.table().metadata_location, sorted(topic.folder.rglob("*"))) == before
    assert [each.split()[0] for each in lines if each.strip().split()[0] in STEPS][:5] == [*STEPS]


def test_a_second_run_finds_nothing_to_do(topic: Topic, lake: Lake, tmp_path: Path) -> None:
    for _ in range(9):
        topic.land(NONE)
    maintain(lake, tmp_path, lambda _: None, ["raw.visits"])
    at = topic.table().metadata_location
    lines: list[str] = []
    assert not maintain(lake, tmp_path, lines.append, ["raw.visits"])
    assert topic.table().metadata_location == at, lines


def test_a_failure_of_a_step_leaves_the_others_their_turn(
    topic: Topic, lake: Lake, tmp_path: Path
) -> None:
    for _ in range(2):
        topic.land(NONE)
    committed_as(topic, "file:///", "s3a://data-lake/")
    lines: list[str] = []
    (failure,) = maintain(lake, tmp_path, lines.append, ["raw.visits"])
    assert isinstance(failure, NamesDifferError)
    assert any("expired" in each for each in lines)


def test_a_store_that_fails_is_named_with_the_step(
    topic: Topic, lake: Lake, tmp_path: Path
) -> None:
    topic.land(NONE)
    for manifest in (topic.folder / "raw.visits" / "metadata").glob("snap-*.avro"):
        manifest.unlink()
    (failure, *_) = maintain(lake, tmp_path, lambda _: None, ["raw.visits"], ["orphans"])
    assert str(failure).startswith("orphans of raw.visits: FileNotFoundError")
    assert len(list(topic.folder.rglob("*.parquet"))) == 1


def test_trino_that_does_not_answer_is_named() -> None:
    settings = Settings(trino=Trino(port=1))
    with pytest.raises(TransientError, match="Trino at"):
        TrinoEngine(settings, print).execute("select 1")


def test_a_table_that_is_not_there_is_named(topic: Topic, lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(UnknownTableError, match=r"it has raw\.quarantine, raw\.visits"):
        maintain(lake, tmp_path, lambda _: None, ["raw.gone"])
