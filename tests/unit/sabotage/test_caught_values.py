"""Values that are others, and records that are there twice or elsewhere, are seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from millrace.sabotage.damages import Mark
from millrace.sabotage.scene import Scene, at, with_cell
from millrace.verify.judging import Sources
from tests.unit.sabotage.asking import caught, edit_quarantine

if TYPE_CHECKING:
    from tests.unit.sabotage.visits import Dataset


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
