"""A unit is made once, found again without any client, and never taken for complete too early."""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from millrace.dist import cache
from millrace.dist.errors import UnknownUnitError
from millrace.dist.install import Installation
from millrace.dist.progress import Progress
from millrace.dist.units import UNITS, choose
from millrace.dist.workshop import Paths

Repository = Any  # of conftest.py


def wait_for(path: Path, process_seconds: float = 20) -> None:
    end = time.monotonic() + process_seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.02)


def test_a_unit_is_made_and_linked(repository: Repository) -> None:
    done = repository.run("kafka")
    assert (done.returncode, done.stderr) == (0, "")
    jars = repository.links / "kafka" / "jars"
    assert sorted(file.name for file in jars.iterdir()) == ["clients.jar", "kafka.jar"]
    assert "1 units made" in done.stdout
    assert "3 MB downloaded" in done.stdout


def test_a_second_run_starts_no_client(repository: Repository) -> None:
    repository.run("kafka")
    calls = repository.calls
    done = repository.run("kafka")
    assert repository.calls == calls
    assert "all units are complete (0 MB downloaded" in done.stdout


def test_offline_is_enough_once_all_is_there(repository: Repository) -> None:
    repository.run("kafka")
    assert repository.run("kafka", "--offline").returncode == 0


def test_units_are_links_into_a_cache_that_several_states_share(repository: Repository) -> None:
    repository.run("kafka")
    calls = repository.calls
    other = repository.root / "other"
    assert repository.run("kafka", "--home", str(other)).returncode == 0
    assert repository.calls == calls
    assert (other / "dist" / "kafka").resolve() == (repository.links / "kafka").resolve()


def test_a_changed_lock_makes_another_unit_and_keeps_the_former(repository: Repository) -> None:
    repository.run("kafka")
    former = (repository.links / "kafka").resolve()
    repository.deliver("kafka", {"kafka.jar": b"newer"})
    assert repository.run("kafka").returncode == 0
    newer = (repository.links / "kafka").resolve()
    assert newer != former
    assert (newer / "jars" / "kafka.jar").read_bytes() == b"newer"
    assert (former / "jars" / "kafka.jar").read_bytes() == b"kafka"
    removed = repository.run("--prune").stdout
    assert former.name in removed
    assert not former.exists()
    assert newer.exists()


def test_what_an_interrupted_run_left_is_made_again(repository: Repository) -> None:
    repository.run("kafka")
    folder = (repository.links / "kafka").resolve()
    (folder / cache.STAMP).unlink()
    (folder / "jars" / "half.jar").write_bytes(b"ha")
    assert repository.run("kafka").returncode == 0
    assert not (folder / "jars" / "half.jar").exists()
    assert cache.read_stamp(folder) is not None


def test_a_damaged_stamp_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / cache.STAMP).write_text('{"size": 1')
    assert cache.read_stamp(tmp_path) is None
    (tmp_path / cache.STAMP).write_text(json.dumps({"size": 1}))
    assert cache.read_stamp(tmp_path) is None


def test_an_interrupted_run_stops_its_clients_and_can_be_taken_up(repository: Repository) -> None:
    process = repository.start("kafka", FAKE_SLEEP="60")
    wait_for(repository.tools / "calls")
    began = time.monotonic()
    error = repository.interrupt(process)
    assert time.monotonic() - began < 20
    assert process.returncode == 130
    assert error == "stopped; what has arrived is kept\n"
    assert not (repository.links / "kafka").exists()
    assert repository.run("kafka").returncode == 0


def test_a_run_waits_for_the_one_that_makes_the_same_unit(repository: Repository) -> None:
    paths = Paths(repository.root / "distribution", repository.units.parent)
    folder = paths.folder(UNITS["kafka"])
    folder.parent.mkdir(parents=True)
    with Path(f"{folder}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = repository.start("kafka")
        assert process.stdout is not None
        for line in process.stdout:
            if "waiting: another run is making it" in line:
                break
        # The other run finishes the unit: this one must take it, not make it again.
        (folder / "jars").mkdir(parents=True)
        cache.write_stamp(folder, 1)
    _, error = process.communicate(timeout=30)
    assert (process.returncode, error) == (0, "")
    assert list((repository.links / "kafka" / "jars").iterdir()) == []


def test_an_environment_whose_interpreter_went_away_is_missing(repository: Repository) -> None:
    paths = Paths(repository.root / "distribution", repository.units.parent)
    unit = UNITS["airflow"]
    folder = paths.folder(unit)
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "airflow").touch()
    cache.write_stamp(folder, 1)
    (folder / "bin" / "python").symlink_to(repository.root / "python3.11")
    assert not paths.complete(unit)
    (repository.root / "python3.11").touch()
    assert paths.complete(unit)


def test_a_unit_brings_those_it_needs_in_the_order_of_the_table() -> None:
    assert [unit.name for unit in choose(["spark"])] == ["lake", "spark"]
    assert [unit.name for unit in choose([])] == [n for n, u in UNITS.items() if not u.optional]
    assert [unit.name for unit in choose(["buildx", "compose"])] == ["compose", "buildx"]
    with pytest.raises(UnknownUnitError):
        choose(["sparc"])


def test_a_key_changes_with_content_name_and_recipe(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("a")
    two.write_text("a")
    keys = {cache.key_of([one]), cache.key_of([two]), cache.key_of([one], "x")}
    one.write_text("b")
    assert len(keys | {cache.key_of([one])}) == 4


def test_files_under_several_names_count_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    os.link(tmp_path / "a", tmp_path / "b")
    assert cache.size_of(tmp_path) == 5


def test_a_folder_in_the_place_of_a_link_is_left_alone(repository: Repository) -> None:
    (repository.links / "kafka").mkdir(parents=True)
    done = repository.run("kafka")
    assert done.returncode == 1
    assert "it is not a link of `make install`" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_list_shows_every_unit(repository: Repository) -> None:
    repository.run("kafka")
    lines = repository.run("--list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(UNITS)
    states = {line.split()[0]: line.split()[1] for line in lines}
    assert (states["kafka"], states["trino"]) == ("0", "missing")


def test_nothing_is_said_to_be_made_when_all_is_complete(repository: Repository) -> None:
    repository.run("kafka")
    paths = Paths(repository.root / "distribution", repository.units.parent)
    with Progress() as progress:
        summary = Installation(paths, repository.root / ".millrace").run(
            choose(["kafka"]), progress, offline=True
        )
    assert (summary.made, summary.downloaded) == (0, 0)
