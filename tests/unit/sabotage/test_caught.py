"""The verifier catches each damage by the law it breaks, and nastier ones of the same kinds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pyiceberg.manifest import DATA_FILE_TYPE, DEFAULT_READ_VERSION, DataFile

from millrace.sabotage.damages import DAMAGES, Damage, Mark
from millrace.sabotage.run import catching, inspect
from millrace.sabotage.scene import Scene, with_cell
from millrace.settings import Settings
from millrace.verify.judging import Sources
from tests.unit.sabotage.asking import caught, name_of, said

if TYPE_CHECKING:
    from tests.unit.sabotage.visits import Dataset

Tamper = Callable[[str], Path]


def test_the_undamaged_copy_passes(scene: Scene, sources: Sources) -> None:
    found = inspect(scene, Settings(), sources)
    assert not found, said(found)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_a_damage_is_caught_for_what_it_is(scene: Scene, sources: Sources, damage: Damage) -> None:
    mark = damage.do(scene)
    found = inspect(scene, Settings(), sources)
    assert catching(mark, found), f"{mark}\n{said(found)}"


def test_a_row_that_nobody_sent_is_seen(scene: Scene, sources: Sources) -> None:
    """It is behind the end of the log, and no ledger knows its bytes."""
    row = with_cell(scene.row((0, 1)), 0, "kafka_offset", 1_000)
    scene.raw.add(with_cell(row, 0, "kafka_headers", []))
    caught(scene, sources, Mark("L4", frozenset({(0, 1_000)})))


def test_a_row_of_another_topic_is_seen(scene: Scene, sources: Sources) -> None:
    scene.raw.add(with_cell(scene.row((0, 1)), 0, "kafka_topic", "others"))
    caught(scene, sources, Mark("L4"))


@pytest.mark.parametrize("place", [0, 12, 29])
def test_a_gap_of_records_that_no_ledger_knows_is_seen(
    scene: Scene, sources: Sources, dataset: Dataset, place: int
) -> None:
    """A foreign producer keeps no ledger: the topic alone tells."""
    file = scene.ledger / f"{dataset.run}.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    (number,) = [line["o"] for line in lines if (line.get("p"), line.get("f")) == (1, place)]
    kept = [line for line in lines if line.get("i", line.get("o")) != number]
    file.write_text("".join(json.dumps(line) + "\n" for line in kept))
    scene.take_out({(1, place)})
    caught(scene, sources, Mark("L4", frozenset({(1, place)})))


def test_a_run_whose_file_is_gone_from_the_ledger_is_seen(
    scene: Scene, sources: Sources, dataset: Dataset
) -> None:
    (scene.ledger / f"{dataset.run}.jsonl").unlink()
    caught(scene, sources, Mark("L1"))


def test_an_acknowledgement_of_other_bytes_is_seen(scene: Scene, sources: Sources) -> None:
    """The ledger's digest of a record is not that of the row."""
    for file in scene.ledger.glob("*.jsonl"):
        text = file.read_text()
        file.write_text(text.replace(scene.row((0, 1))["value_sha256"][0].as_py(), "f" * 64))
    (found,) = {each.law for each in inspect(scene, Settings(), sources)} & {"L1", "L5"}
    assert found


def test_a_file_that_is_live_twice_is_seen(scene: Scene, sources: Sources) -> None:
    (task, *_) = scene.raw.table.scan().plan_files()
    scene.raw._rewrite([], [task.file])
    caught(scene, sources, Mark("L7", names=(name_of(task.file.file_path),)), Mark("L4"))


@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_a_file_that_is_not_what_it_was_is_seen(
    scene: Scene, sources: Sources, tamper: Tamper, damage: str
) -> None:
    """One byte shorter, and as long as before with one bit of a page's data turned."""
    path = tamper(scene.landed[0, 1])
    content = bytearray(path.read_bytes())
    if damage == "cut":
        del content[-1]
    else:
        content[len(content) // 3] ^= 1
    path.write_bytes(content)
    laws = {each.law for each in inspect(scene, Settings(), sources)}
    assert laws & ({"L7"} if damage == "cut" else {"L5", "L7"})


def test_a_file_of_an_older_snapshot_that_is_gone_is_seen(
    scene: Scene, sources: Sources, tamper: Tamper
) -> None:
    path = scene.landed[0, 1]
    scene.raw.edit({path: lambda rows: rows})
    assert not inspect(scene, Settings(), sources)
    tamper(path).unlink()
    caught(scene, sources, Mark("L7", names=(name_of(path),)))


def test_a_manifest_list_that_is_gone_is_seen(
    scene: Scene, sources: Sources, tamper: Tamper
) -> None:
    first, _ = scene.raw.table.snapshots()
    tamper(first.manifest_list).unlink()
    caught(scene, sources, Mark("L7", names=(name_of(first.manifest_list),)))


@pytest.mark.parametrize("field", ["file_size_in_bytes", "record_count"])
def test_a_manifest_that_tells_another_size_is_seen(
    scene: Scene, sources: Sources, field: str
) -> None:
    (task, *_) = scene.raw.table.scan().plan_files()
    arguments = {
        each.name: getattr(task.file, each.name)
        for each in DATA_FILE_TYPE[DEFAULT_READ_VERSION].fields
    }
    arguments[field] += 1
    told = DataFile.from_args(**arguments, spec_id=task.file.spec_id)
    scene.raw._rewrite([task.file], [told])
    caught(scene, sources, Mark("L7", names=(name_of(task.file.file_path),)))


def test_a_ledger_that_ends_in_the_middle_is_seen(
    scene: Scene, sources: Sources, dataset: Dataset
) -> None:
    """Of the records whose lines are gone the tables tell more than the ledger."""
    file = scene.ledger / f"{dataset.run}.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[: len(lines) // 4]))
    caught(scene, sources, Mark("L1"))


def test_a_manifest_that_is_gone_is_seen(scene: Scene, sources: Sources, tamper: Tamper) -> None:
    table = scene.raw.table
    first, _ = table.snapshots()
    manifest = first.manifests(table.io)[0].manifest_path
    tamper(manifest).unlink()
    caught(scene, sources, Mark("L7", names=(name_of(manifest),)))
