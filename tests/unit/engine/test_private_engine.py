"""The private engine is found by its own pid file, and says what keeps it from starting."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from millrace.engine import base_image, daemon
from millrace.engine.daemon import Place
from millrace.engine.provide import BUILD_AUTHORITIES, authorities
from millrace.errors import MillraceError

ROOT = Path(__file__).resolve().parents[3]


def script(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that goes before all others, with a client that finds no engine."""
    folder = tmp_path / "tools"
    script(folder, "docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def test_a_machine_that_can_not_install_is_told_what_it_lacks(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "millrace.engine", "start"],
        cwd=ROOT,
        env={"PATH": str(empty), "XDG_CACHE_HOME": str(tmp_path)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "error: docker: there is no such command on PATH" in done.stderr
    assert "to mend it" in done.stderr
    assert done.stdout == ""


def test_a_daemon_that_ends_is_quoted(tools: Path, tmp_path: Path) -> None:
    script(tools, "dockerd", "echo 'failed to start daemon: no cgroups here' >&2; exit 1")
    said: list[str] = []
    with pytest.raises(MillraceError, match="no cgroups here") as failure:
        daemon.start(Place(tmp_path / "engine"), said.append)
    assert failure.value.remedy == f"cat {tmp_path}/engine/dockerd.log"
    assert said == [f"starting a private engine: {tmp_path}/engine"]


def test_a_path_too_long_for_a_socket_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(MillraceError, match="the path of a socket"):
        daemon.start(Place(tmp_path / ("x" * 100)), print)


def test_a_pid_that_is_another_programs_by_now_is_not_ours(tmp_path: Path) -> None:
    place = Place(tmp_path)
    assert daemon.running(place) is None
    place.pid_file.write_text(str(os.getpid()))
    assert daemon.running(place) is None
    daemon.stop(place, print)
    assert place.pid_file.exists()


def test_the_authorities_of_the_machine_become_one_build_secret(tmp_path: Path) -> None:
    assert authorities(tmp_path, {}) == {}
    (tmp_path / "b.crt").write_text("second")
    (tmp_path / "a.crt").write_text("first\n")
    (tmp_path / "notes.txt").write_text("no certificate")
    assert authorities(tmp_path, {}) == {BUILD_AUTHORITIES: "first\nsecond\n"}
    # What the user has set goes first.
    assert authorities(tmp_path, {BUILD_AUTHORITIES: "mine"}) == {}


def test_a_made_base_image_lacks_documents_and_keeps_licences(tmp_path: Path) -> None:
    files = {
        "etc/apt/sources.list": "deb http://mirror/debian bookworm main\n",
        "etc/dpkg/dpkg.cfg.d/README": "",
        "usr/share/doc/bash/copyright": "GPL",
        "usr/share/doc/bash/NEWS": "new",
        "usr/share/locale/de/LC_MESSAGES/bash.mo": "hallo",
        "usr/share/zoneinfo/UTC": "time",
        "var/cache/apt/archives/bash.deb": "package",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    base_image.slim(tmp_path)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert {"usr/share/doc/bash/copyright", "usr/share/zoneinfo/UTC"} <= left
    gone = {"usr/share/doc/bash/NEWS", "usr/share/locale/de/LC_MESSAGES/bash.mo"}
    assert not left & (gone | {"var/cache/apt/archives/bash.deb"})
    assert "bookworm-security main" in (tmp_path / "etc/apt/sources.list").read_text()
    assert (
        "path-exclude /usr/share/man/*" in (tmp_path / "etc/dpkg/dpkg.cfg.d/millrace").read_text()
    )
