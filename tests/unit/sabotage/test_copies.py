"""The copies come and go, and what is the user's stays as it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from millrace.contracts.names import QUARANTINE_TABLE
from millrace.sabotage.damages import DAMAGES
from millrace.sabotage.grounds import Grounds, OutsideError
from millrace.sabotage.ledger import acknowledged, copy_ledger
from millrace.sabotage.scene import NothingToDamageError, Scene

if TYPE_CHECKING:
    from tests.unit.sabotage.visits import Dataset

BY_NAME = {damage.name: damage for damage in DAMAGES}


def content(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_all_damages_leave_the_users_tables_and_ledger_as_they_were(
    own_scene: Scene, own_dataset: Dataset, own_grounds: Grounds
) -> None:
    before = content(own_dataset.folder / "user"), content(own_dataset.ledger)
    heads = [own_dataset.table(name).metadata for name in ("raw.visits", QUARANTINE_TABLE)]
    for damage in DAMAGES:
        damage.do(own_scene)
        own_scene.restore()
    own_grounds.clean()
    assert (content(own_dataset.folder / "user"), content(own_dataset.ledger)) == before
    assert heads == [own_dataset.table(name).metadata for name in ("raw.visits", QUARANTINE_TABLE)]


def test_a_table_that_is_no_copy_is_never_touched(own_grounds: Grounds) -> None:
    for thing in ("raw.visits", "hdfs://millrace/data/streaming/x", "sabotage.x/../raw"):
        with pytest.raises(OutsideError):
            own_grounds.require_inside(thing)


def test_what_a_killed_run_left_is_removed_by_the_next_one(
    own_scene: Scene, own_dataset: Dataset, own_grounds: Grounds, metastore: Any
) -> None:
    BY_NAME["remove-file"].do(own_scene)  # killed here: the table can not even be read
    own_grounds.prepare()
    assert not list(own_grounds.scratch.iterdir())
    own_grounds.clean()
    assert not own_grounds.scratch.exists()
    assert not content(own_dataset.folder / "copies")
    assert {name for name, _ in metastore.tables} == {"raw"} and not metastore.databases


def test_a_dataset_without_a_bad_record_can_not_lose_one(own_scene: Scene) -> None:
    own_scene.quarantined.clear()
    with pytest.raises(NothingToDamageError, match="quarantine"):
        BY_NAME["drop-quarantined"].do(own_scene)


def test_what_was_acknowledged_after_the_tables_were_copied_is_left_out(
    own_dataset: Dataset, own_grounds: Grounds, tmp_path: Path
) -> None:
    target = tmp_path / "copied"
    copy_ledger(own_dataset.ledger, target, "visits", {0: 12, 1: 30})
    known = acknowledged(target)
    assert max(offset for partition, offset in known if partition == 0) == 11
    assert len(known) == 12 + 30


def test_a_line_that_was_being_written_stays_torn(own_dataset: Dataset, tmp_path: Path) -> None:
    file = own_dataset.ledger / f"{own_dataset.run}.jsonl"
    with file.open("a") as stream:
        stream.write('{"i":60,"data')
    copy_ledger(own_dataset.ledger, tmp_path / "copied", "visits", {})
    assert (tmp_path / "copied" / file.name).read_bytes() == file.read_bytes()
