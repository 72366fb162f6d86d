"""L7: every file of every kept snapshot is there, as long as recorded, and opens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

RAW = "raw.visits"


def page(name: str) -> bytes:
    return b'{"page": "%s"}' % name.encode()


def local(path: str) -> Path:
    return Path(path.removeprefix("file://"))


def data_files(world: Any) -> list[Path]:
    return [local(task.file.file_path) for task in world.table(RAW).scan().plan_files()]


def damaged(world: Any) -> str:
    (text,) = world.broken()["L7"]
    assert isinstance(text, str)
    return text


def test_a_data_file_that_is_gone_is_named_and_the_rest_is_judged(world: Any) -> None:
    world.send(page("later"))
    world.land()
    gone = data_files(world)[0]
    gone.unlink()
    found = {each.law: each for each in world.verify().findings}
    assert gone.name in found["L7"].text
    assert found["L1"].positions in ((((0, 6),), tuple((0, at) for at in (0, 1, 2, 4, 5))))


def test_a_file_that_was_cut_is_named(world: Any) -> None:
    file = data_files(world)[0]
    file.write_bytes(file.read_bytes()[:-1])
    assert f"{file.name} has" in damaged(world)


def test_a_file_whose_footer_does_not_open_is_named(world: Any) -> None:
    file = data_files(world)[0]
    content = bytearray(file.read_bytes())
    content[-12:-8] = b"\xff\xff\xff\xff"
    file.write_bytes(content)
    assert file.name in damaged(world)


def test_a_file_of_an_older_snapshot_is_checked_as_well(world: Any) -> None:
    before = data_files(world)[0]
    world.change(RAW, lambda rows: rows)
    assert before not in data_files(world)
    before.unlink()
    assert before.name in damaged(world)


@pytest.mark.parametrize("which", ["manifest", "list"])
def test_a_manifest_that_is_gone_is_named(world: Any, which: str) -> None:
    table = world.table(RAW)
    snapshot = table.current_snapshot()
    path = snapshot.manifest_list
    if which == "manifest":
        path = snapshot.manifests(table.io)[0].manifest_path
    local(path).unlink()
    assert local(path).name in damaged(world)


def test_a_metadata_file_that_is_gone_is_a_finding(world: Any) -> None:
    file = local(world.table(RAW).metadata_location)
    file.unlink()
    report = world.verify()
    assert [each.law for each in report.findings] == ["L7"]
    assert file.name in report.findings[0].text


def test_a_file_that_is_live_twice_is_named(world: Any) -> None:
    table = world.table(RAW)
    (task,) = table.scan().plan_files()
    change = table.transaction()
    with change.update_snapshot(snapshot_properties=world.offsets(6)).fast_append() as append:
        append.append_data_file(task.file)
    change.commit_transaction()
    texts = world.broken()
    assert "live twice" in texts["L7"][0]
    assert "more than once" in texts["L4"][0]
