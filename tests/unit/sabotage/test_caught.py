"""The verifier catches each damage by the law it breaks, and nastier ones of the same kinds."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pyiceberg.manifest import DATA_FILE_TYPE, DEFAULT_READ_VERSION, DataFile

from millrace.sabotage.damages import DAMAGES, Damage, Mark
from millrace.sabotage.run import catching, inspect
from millrace.sabotage.scene import Position, Scene, at, with_cell
from millrace.settings import Settings
from millrace.verify.judging import Sources
from millrace.verify.report import Finding

if TYPE_CHECKING:
    from tests.unit.sabotage.conftest import Dataset

Tamper = Callable[[str], Path]


def said(findings: list[Finding]) -> str:
    return "\n".join(f"{each.law} {each.text} {each.positions}" for each in findings)


def caught(scene: Scene, sources: Sources, *marks: Mark) -> None:
    """Assert that the verifier reports each of the marks."""
    found = inspect(scene, Settings(), sources)
    for mark in marks:
        assert catching(mark, found), f"{mark}\n{said(found)}"


def edit_quarantine(scene: Scene, position: Position, name: str, value: object) -> None:
    """Write another value into a row of quarantine."""

    def write(rows: pa.Table) -> pa.Table:
        index = at(rows, {position}).to_pylist().index(True)
        return with_cell(rows, index, name, value)

    scene.quarantine.edit({scene.quarantined[position]: write})


def name_of(path: str) -> str:
    return path.rpartition("/")[2]


def test_the_undamaged_copy_passes(scene: Scene, sources: Sources) -> None:
    found = inspect(scene, Settings(), sources)
    assert not found, said(found)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_a_damage_is_caught_for_what_it_is(scene: Scene, sources: Sources, damage: Damage) -> None:
    mark = damage.do(scene)
    found = inspect(scene, Settings(), sources)
    assert catching(mark, found), f"{mark}\n{said(found)}"


#: A column of the landing -> another value of it, for a row.
OTHER_VALUES: dict[str, Any] = {
    "value": b'{"page": "page 0 1", "seconds": 2}',
    "value_sha256": "0" * 64,
    "kafka_key": b"",
    "kafka_headers": [],
    "kafka_at": datetime(2026, 1, 1, tzinfo=UTC),
    "is_tombstone": True,
    "schema_id": 1,
    "seconds": None,
    "late_column": 0,
    "page": "",
}


@pytest.mark.parametrize("name", OTHER_VALUES)
def test_any_column_that_is_another_is_seen(scene: Scene, sources: Sources, name: str) -> None:
    position = (0, 1)
    scene.set_cells({position: {name: OTHER_VALUES[name]}})
    caught(scene, sources, Mark("L5", frozenset({position})))


def test_a_time_that_is_a_microsecond_off_is_seen(
    scene: Scene, sources: Sources, dataset: Dataset
) -> None:
    moment = dataset.row("raw.visits", 0, 1)["kafka_at"] + timedelta(microseconds=1)
    scene.set_cells({(0, 1): {"kafka_at": moment}})
    caught(scene, sources, Mark("L5", frozenset({(0, 1)})))


def test_two_rows_that_exchange_their_positions_are_seen(scene: Scene, sources: Sources) -> None:
    """No position is missing and none is twice; the sums of every column stay."""
    scene.set_cells({(0, 1): {"kafka_offset": 2}, (0, 2): {"kafka_offset": 1}})
    caught(scene, sources, Mark("L5", frozenset({(0, 1), (0, 2)})))


def test_two_rows_that_exchange_all_but_their_positions_are_seen(
    scene: Scene, sources: Sources, dataset: Dataset
) -> None:
    """Value and digest of each row fit each other, only the topic has them elsewhere."""
    one, other = (0, 1), (1, 1)
    names = ("value", "value_sha256", "page", "seconds")
    cells = {
        place: {name: scene.row(of)[name][0].as_py() for name in names}
        for place, of in ((one, other), (other, one))
    }
    scene.set_cells(cells)
    caught(scene, sources, Mark("L5", frozenset({one, other})))


def test_a_duplicate_with_another_value_is_seen_twice_and_as_another(
    scene: Scene, sources: Sources
) -> None:
    position = (0, 1)
    scene.raw.add(with_cell(scene.row(position), 0, "page", "another"))
    caught(scene, sources, Mark("L4", frozenset({position})), Mark("L5", frozenset({position})))


def test_a_row_for_a_row_leaves_the_count_and_is_seen(scene: Scene, sources: Sources) -> None:
    """One record is lost and another is there twice."""
    row = scene.row((1, 2))
    scene.take_out({(0, 1)})
    scene.raw.add(row)
    caught(scene, sources, Mark("L1", frozenset({(0, 1)})), Mark("L4", frozenset({(1, 2)})))


def test_a_record_in_raw_and_open_in_quarantine_is_seen(
    scene: Scene, sources: Sources, dataset: Dataset
) -> None:
    (position,) = {(0, 3)} & set(scene.quarantined)
    row = dataset.row("raw.visits", *position)
    scene.raw.add(pa.Table.from_pylist([row], scene.row((0, 1)).schema))
    caught(scene, sources, Mark("L1", frozenset({position})))


def test_a_record_that_is_quarantined_twice_is_seen(scene: Scene, sources: Sources) -> None:
    position = (0, 3)
    rows = scene.quarantine.rows(scene.quarantined[position])
    scene.quarantine.add(rows.filter(at(rows, {position})))
    caught(scene, sources, Mark("L4", frozenset({position})))


def test_a_record_that_is_marked_as_replayed_and_is_not_in_raw_is_seen(
    scene: Scene, sources: Sources
) -> None:
    position = (0, 3)
    edit_quarantine(scene, position, "status", "replayed")
    caught(scene, sources, Mark("L1", frozenset({position})))


#: Another value of the steps of a record that has two.
OTHER_STEPS: dict[str, Any] = {
    "no list": None,
    "an empty list": [],
    "one step less": [{"link": "s0", "price": Decimal("0.00")}],
    "another order": [
        {"link": "s1", "price": Decimal("0.02")},
        {"link": "s0", "price": Decimal("0.00")},
    ],
    "a cent more": [
        {"link": "s0", "price": Decimal("0.01")},
        {"link": "s1", "price": Decimal("0.02")},
    ],
    "a null in a step": [
        {"link": None, "price": Decimal("0.00")},
        {"link": "s1", "price": Decimal("0.02")},
    ],
}


@pytest.mark.parametrize("other", OTHER_STEPS)
def test_anything_that_is_another_within_a_list_is_seen(
    scene: Scene, sources: Sources, dataset: Dataset, other: str
) -> None:
    assert len(scene.row((0, 2))["steps"][0]) == 2
    scene.set_cells({(0, 2): {"steps": OTHER_STEPS[other]}})
    caught(scene, sources, Mark("L5", frozenset({(0, 2)})))


def test_a_null_is_no_zero_and_no_empty_list(scene: Scene, sources: Sources) -> None:
    """Seconds of the one are 0, steps of the other are none; a null is neither."""
    zero, empty = (0, 20), (0, 9)
    assert scene.row(zero)["seconds"][0].as_py() == 0
    assert scene.row(empty)["steps"][0].as_py() == []
    scene.set_cells({zero: {"seconds": None}, empty: {"steps": None}})
    caught(scene, sources, Mark("L5", frozenset({zero, empty})))


def test_a_zero_is_no_null(scene: Scene, sources: Sources) -> None:
    scene.set_cells({(0, 20): {"late_column": 0}})
    caught(scene, sources, Mark("L5", frozenset({(0, 20)})))


@pytest.mark.parametrize("name", ["page", "value"])
def test_a_tombstone_that_has_a_value_is_seen(scene: Scene, sources: Sources, name: str) -> None:
    scene.set_cells({(0, 5): {name: b"{}" if name == "value" else "page"}})
    caught(scene, sources, Mark("L5", frozenset({(0, 5)})))


def test_a_row_without_its_bytes_is_seen(scene: Scene, sources: Sources) -> None:
    scene.set_cells({(0, 1): {"value": None}})
    caught(scene, sources, Mark("L5", frozenset({(0, 1)})))


def test_a_quarantined_record_of_another_dataset_is_seen(scene: Scene, sources: Sources) -> None:
    edit_quarantine(scene, (0, 3), "dataset", "others")
    caught(scene, sources, Mark("L1", frozenset({(0, 3)})))


QUARANTINED = [
    ("value", b"{}"),
    ("value_sha256", "0" * 64),
    ("kafka_key", b"k"),
    ("kafka_headers", []),
    ("kafka_at", datetime(2026, 1, 1, tzinfo=UTC)),
]


@pytest.mark.parametrize(("name", "value"), QUARANTINED, ids=[name for name, _ in QUARANTINED])
def test_a_quarantined_record_with_other_bytes_is_seen(
    scene: Scene, sources: Sources, name: str, value: object
) -> None:
    position = (0, 3)
    edit_quarantine(scene, position, name, value)
    caught(scene, sources, Mark("L5", frozenset({position})))


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
