"""A machine that lacks something, a network that fails, a file that is not the pinned one: each is
told with its cause and a remedy, and the next run goes on from there."""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from millrace.dist import environments
from millrace.dist.errors import BuildError, DiskFullError, MissingToolError, disk_errors, explain
from millrace.dist.install import Installation
from millrace.dist.progress import Progress
from millrace.dist.units import choose
from millrace.dist.workshop import Paths

Repository = Any  # of conftest.py
GOLDEN = Path(__file__).parents[2] / "golden" / "errors"


def expect_words(repository: Repository, golden: str, done: Any) -> None:
    assert done.returncode == 1
    said = re.sub(r"\d+ MB are free", "<n> MB are free", repository.words(done.stderr))
    assert said == (GOLDEN / f"{golden}.txt").read_text()


def test_an_unknown_unit_is_refused_in_these_words(repository: Repository) -> None:
    expect_words(repository, "dist_unknown_unit", repository.run("kafak"))


def test_a_machine_without_maven_is_told_what_to_install(repository: Repository) -> None:
    (repository.tools / "mvn").unlink()
    expect_words(repository, "dist_without_maven", repository.run("kafka"))


def test_a_maven_that_is_too_old_is_refused(repository: Repository) -> None:
    done = repository.run("kafka", FAKE_MAVEN="3.6.0 (NON_CANONICAL)")
    expect_words(repository, "dist_old_maven", done)
    assert repository.calls == []


def test_a_maven_that_is_new_enough_or_tells_nothing_is_used(repository: Repository) -> None:
    for version in ("3.6.3", "4.0.0-rc-5", "unknown"):
        shutil.rmtree(repository.units, ignore_errors=True)
        assert repository.run("kafka", FAKE_MAVEN=version).returncode == 0


def test_a_new_state_folder_is_its_owners_alone(repository: Repository) -> None:
    assert repository.run("kafka").returncode == 0
    assert repository.links.parent.stat().st_mode & 0o777 == 0o700


def test_a_wrong_java_that_was_named_is_refused(
    repository: Repository, java_home: Callable[..., Path]
) -> None:
    home = java_home(repository.root / "jvm", "11.0.2")
    done = repository.run("java17", MILLRACE_JAVA17_HOME=str(home))
    expect_words(repository, "dist_wrong_java", done)


def test_a_named_java_that_does_not_run_is_refused(repository: Repository) -> None:
    done = repository.run("java17", MILLRACE_JAVA17_HOME=str(repository.root))
    expect_words(repository, "dist_no_java", done)


def test_a_broken_download_is_moved_aside_and_fetched_again(repository: Repository) -> None:
    jar = repository.root / "m2" / "kafka" / "kafka.jar"
    jar.write_bytes(b"kafkb")
    expect_words(repository, "dist_checksum", repository.run("kafka"))
    assert not jar.exists()
    assert jar.with_name("kafka.jar.bad").exists()
    assert not (repository.links / "kafka").exists()
    jar.write_bytes(b"kafka")  # as Maven does with a file that is not there
    assert repository.run("kafka").returncode == 0


def test_a_file_that_the_list_does_not_hold_is_refused(repository: Repository) -> None:
    listing = repository.root / "distribution" / "checksums" / "kafka.sha256"
    listing.write_text(listing.read_text().splitlines(keepends=True)[0])
    expect_words(repository, "dist_unlisted_file", repository.run("kafka"))
    assert repository.run("kafka", "--update-checksums").returncode == 0
    assert len(listing.read_text().splitlines()) == 2
    assert repository.run("kafka").returncode == 0


def test_without_a_network_the_cause_is_the_network(repository: Repository) -> None:
    said = (
        "[ERROR] Failed to execute goal on project kafka: Could not resolve dependencies: "
        "Could not transfer artifact a:b:jar:1 from/to central: Temporary failure in name "
        "resolution -> [Help 1]"
    )
    done = repository.run("kafka", FAKE_FAILURE=said)
    expect_words(repository, "dist_without_network", done)


def test_a_disk_that_fills_while_a_client_writes_is_named(repository: Repository) -> None:
    said = "[ERROR] Could not write /home/me/.m2/a.jar: No space left on device"
    expect_words(repository, "dist_disk_full", repository.run("kafka", FAKE_FAILURE=said))


def test_offline_names_what_is_missing_and_starts_no_client(repository: Repository) -> None:
    expect_words(repository, "dist_offline", repository.run("kafka", "--offline"))
    assert repository.calls == []


def test_a_disk_without_room_is_refused_before_anything_is_fetched(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(repository.tools))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=5_000_000))
    paths = Paths(repository.root / "distribution", repository.units.parent)
    installation = Installation(paths, repository.root / ".millrace")
    with (
        Progress() as progress,
        pytest.raises(DiskFullError, match="5 MB are free, 120 MB are needed"),
    ):
        installation.run(choose(["kafka"]), progress)
    assert repository.calls == []


def test_a_failed_write_of_our_own_is_a_full_disk(tmp_path: Path) -> None:
    full = Path("/dev/full")
    with pytest.raises(DiskFullError), disk_errors(tmp_path):
        full.write_text("x")


def test_other_failures_of_the_system_are_not_hidden(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="mine") as caught, disk_errors(tmp_path):
        raise OSError(errno.EIO, "mine")
    assert caught.value.errno == errno.EIO


def test_a_cache_that_is_not_ours_is_named(tmp_path: Path) -> None:
    theirs = str(tmp_path / "units")
    with pytest.raises(BuildError, match="permission denied") as caught, disk_errors(tmp_path):
        raise PermissionError(errno.EACCES, "Permission denied", theirs)
    assert caught.value.thing == theirs
    assert "XDG_CACHE_HOME" in caught.value.remedy


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("ERROR: Could not find a version that satisfies x==1", "failed: Could not find a version"),
        ("SECURITY ERROR: checksum mismatch for x", "not the pinned one (SECURITY ERROR"),
        ("dial tcp: lookup proxy: no such host", "could not reach its registry (dial tcp"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", "not the pinned one (THESE PACKAGES"),
        ("nothing that tells", "failed: nothing that tells"),
    ],
)
def test_a_clients_own_words_are_quoted(line: str, said: str, tmp_path: Path) -> None:
    error = explain("lake", "pip", ["before", line, "[ERROR] Re-run Maven with -e"], tmp_path)
    assert said in error.cause


def test_a_python_of_another_version_does_not_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(environments, "PYTHON", (3, 10))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match=r"python3\.11"):
        environments.find_python()


def test_a_python_that_can_not_make_environments_does_not_do(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.script("python3.11", "import sys; sys.exit('no module named ensurepip')")
    monkeypatch.setattr(environments, "PYTHON", (3, 10))
    monkeypatch.setenv("PATH", str(repository.tools))
    with pytest.raises(MissingToolError, match="no module named ensurepip"):
        environments.find_python()
