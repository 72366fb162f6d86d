"""Each damage does what it says, nothing else, and only to the copy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from millrace.contracts.names import QUARANTINE_TABLE
from millrace.sabotage import fault_runs
from millrace.sabotage.copied_table import CopiedTable
from millrace.sabotage.damages import DAMAGES, Damage, Mark
from millrace.sabotage.scene import Scene

if TYPE_CHECKING:
    from tests.unit.sabotage.visits import Dataset

Row = dict[str, Any]
BY_NAME = {damage.name: damage for damage in DAMAGES}


def rows(table: CopiedTable) -> list[Row]:
    found: list[Row] = table.table.refresh().scan().to_arrow().to_pylist()
    return sorted(found, key=lambda row: (row["kafka_partition"], row["kafka_offset"]))


def places(found: Iterable[Row]) -> list[tuple[int, int]]:
    return [(row["kafka_partition"], row["kafka_offset"]) for row in found]


def content(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def do(scene: Scene, name: str) -> tuple[Mark, list[Row], list[Row]]:
    """Do one damage; the mark, and the rows of raw before and after."""
    before = rows(scene.raw)
    return BY_NAME[name].do(scene), before, rows(scene.raw)


def test_the_copy_holds_the_same_rows_in_files_of_its_own(scene: Scene, dataset: Dataset) -> None:
    for name, copy in (("raw.visits", scene.raw), (QUARANTINE_TABLE, scene.quarantine)):
        table = dataset.table(name)
        original = table.scan().to_arrow()
        assert Counter(map(str, original.to_pylist())) == Counter(map(str, rows(copy)))
        assert copy.table.schema() == table.schema()
        theirs = {task.file.file_path for task in table.scan().plan_files()}
        ours = {task.file.file_path for task in copy.table.scan().plan_files()}
        assert len(ours) == len(theirs) and not ours & theirs
        assert copy.table.metadata.table_uuid != table.metadata.table_uuid


def test_the_copy_has_two_versions_each_with_the_offsets_of_its_time(scene: Scene) -> None:
    first, second = scene.raw.table.snapshots()
    assert first.summary is not None and second.summary is not None
    assert '"0":20' in first.summary["millrace.offsets"]
    assert '"0":30' in second.summary["millrace.offsets"]
    assert len(scene.raw.versions) == 2


def test_the_copied_ledger_tells_of_the_dataset_alone_and_of_one_refused_record(
    scene: Scene, dataset: Dataset
) -> None:
    texts = [file.read_text() for file in sorted(scene.ledger.glob("*.jsonl"))]
    mine, planted = sorted(texts, key=len, reverse=True)
    assert mine in {file.read_text() for file in dataset.ledger.glob("*.jsonl")}
    assert '"s":"refused"' in planted and "others" not in mine + planted


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_a_damage_is_undone_by_restoring(scene: Scene, damage: Damage) -> None:
    before = rows(scene.raw), rows(scene.quarantine), content(scene.ledger)
    runs = sorted(file.name for file in scene.runs.iterdir())
    damage.do(scene)
    scene.restore()
    assert (rows(scene.raw), rows(scene.quarantine), content(scene.ledger)) == before
    assert sorted(file.name for file in scene.runs.iterdir()) == runs


def test_a_deleted_row_is_gone_alone(scene: Scene) -> None:
    mark, before, after = do(scene, "delete")
    (position,) = mark.positions
    assert [row for row in before if places([row]) != [position]] == after


def test_a_duplicate_is_the_same_row_again(scene: Scene) -> None:
    mark, before, after = do(scene, "duplicate")
    counts = Counter(map(str, after)) - Counter(map(str, before))
    assert (counts.total(), len(after)) == (1, len(before) + 1)
    assert [place for place, number in Counter(places(after)).items() if number > 1] == [
        *mark.positions
    ]


def test_a_swap_changes_two_rows_and_the_checksum_of_no_column(scene: Scene) -> None:
    mark, before, after = do(scene, "swap")
    changed = [now for then, now in zip(before, after, strict=True) if then != now]
    assert set(places(changed)) == mark.positions and len(changed) == 2
    for name in before[0]:
        values = [Counter(str(row[name]) for row in found) for found in (before, after)]
        assert values[0] == values[1], name


def test_a_changed_byte_is_one_of_a_column_and_not_of_the_records_bytes(scene: Scene) -> None:
    mark, before, after = do(scene, "change-byte")
    ((then, now),) = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
    (name,) = [name for name in then if then[name] != now[name]]
    assert (set(places([now])), name) == (mark.positions, "page")
    differ = [old != new for old, new in zip(then[name], now[name], strict=True)]
    assert sum(differ) == 1


def test_a_dropped_record_leaves_quarantine_alone(scene: Scene) -> None:
    before = rows(scene.quarantine)
    mark, raw_before, raw_after = do(scene, "drop-quarantined")
    assert raw_before == raw_after
    assert set(places(before)) - set(places(rows(scene.quarantine))) == mark.positions
    assert len(rows(scene.quarantine)) == len(before) - 1


def test_a_refused_record_lands_behind_the_others_and_the_ledger_says_it_was_refused(
    scene: Scene,
) -> None:
    mark, before, after = do(scene, "land-refused")
    (landed,) = [row for row in after if row not in before]
    assert set(places([landed])) == mark.positions
    assert mark.positions <= {(0, 30), (1, 30)}
    refused = [f for f in scene.ledger.iterdir() if '"s":"refused"' in f.read_text()]
    assert landed["value_sha256"] in refused[0].read_text()
    assert landed["value_sha256"] not in {row["value_sha256"] for row in before}


def test_one_version_back_loses_what_was_landed_last_and_the_offsets_with_it(scene: Scene) -> None:
    mark, before, after = do(scene, "roll-back")
    assert set(places(before)) - set(places(after)) == mark.positions
    assert {offset for _, offset in mark.positions} == {
        offset for offset in range(20, 30) if offset % 7 != 3
    }
    summary = scene.raw.table.snapshots()[-1].summary
    assert summary is not None and '"0":20' in summary["millrace.offsets"]


def test_a_removed_file_is_still_referred_to(scene: Scene) -> None:
    mark = BY_NAME["remove-file"].do(scene)
    paths = [task.file.file_path for task in scene.raw.table.refresh().scan().plan_files()]
    (gone,) = [path for path in paths if not Path(path.removeprefix("file://")).exists()]
    assert gone.endswith(mark.names[0])


@pytest.mark.parametrize(
    ("name", "rest"), [("gap-at-end", slice(-3)), ("gap-at-start", slice(3, None))]
)
def test_a_gap_is_at_its_end_of_one_partition(scene: Scene, name: str, rest: slice) -> None:
    mark, before, after = do(scene, name)
    ((partition,),) = [{part for part, _ in mark.positions}]
    mine = [place for place in places(before) if place[0] == partition]
    assert [place for place in places(after) if place[0] == partition] == mine[rest]
    assert len(after) == len(before) - 3
    summary = scene.raw.table.refresh().snapshots()[-1].summary
    assert summary is not None and '"0":30' in summary["millrace.offsets"]


def test_an_emptied_ledger_has_its_files_and_no_line(scene: Scene) -> None:
    BY_NAME["empty-ledger"].do(scene)
    assert set(content(scene.ledger).values()) == {b""}


def test_every_forged_run_is_void_and_every_honest_one_is_not(scene: Scene) -> None:
    assert not list(fault_runs.void_runs(scene.runs, scene.raw.table))
    names = BY_NAME["false-fault"].do(scene).names
    assert [name for name, _ in fault_runs.void_runs(scene.runs, scene.raw.table)] == sorted(names)
    reasons = " ".join(why for _, why in fault_runs.void_runs(scene.runs, scene.raw.table))
    for reason in ("no evidence", "of another time", "does not show it", "was not seen"):
        assert reason in reasons
    assert "still runs" in reasons and "the table has the snapshot" in reasons
