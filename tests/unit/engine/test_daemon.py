"""The private daemon is found by its own pid file, and says what keeps it from starting."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from millrace.engine import daemon
from millrace.engine.daemon import Place
from millrace.errors import MillraceError

Eventually = Callable[[Callable[[], bool], float, str], None]
Script = Callable[[str, str], None]
StartElsewhere = Callable[[], int]


def test_a_daemon_that_ends_is_quoted(script: Script, tmp_path: Path) -> None:
    script("docker", "exit 1")
    script("dockerd", "echo 'failed to start daemon: no cgroups here' >&2; exit 1")
    said: list[str] = []
    with pytest.raises(MillraceError, match="no cgroups here") as failure:
        daemon.start(Place(tmp_path / "engine"), said.append)
    assert failure.value.remedy == f"cat {tmp_path}/engine/dockerd.log"
    assert said == [
        f"starting a private engine: {tmp_path}/engine (its build cache keeps to 10 GB)"
    ]


def test_a_path_too_long_for_a_socket_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(MillraceError, match="the path of a socket"):
        daemon.start(Place(tmp_path / ("x" * 100)), print)


def test_the_machines_settings_do_not_matter_and_the_build_cache_is_bounded(
    place: Place, started: int
) -> None:
    words = Path(f"/proc/{started}/cmdline").read_text().split("\0")
    settings = json.loads(Path(words[words.index("--config-file") + 1]).read_text())
    assert settings == {"builder": {"gc": {"enabled": True, "defaultKeepStorage": "10GB"}}}
    assert words[words.index("--containerd-namespace") + 1] == "millrace"


def test_a_second_start_finds_the_first_and_stop_ends_it(place: Place, started: int) -> None:
    said: list[str] = []
    assert daemon.start(place, said.append) is False
    assert said == []
    daemon.stop(place, said.append)
    assert daemon.running(place) is None
    assert _ended(started)


def test_a_pid_that_is_another_programs_by_now_is_not_ours(place: Place, started: int) -> None:
    # Another daemon, not only another program: the user's own engine may have got the number.
    other = Place(place.folder.parent / "other")
    other.folder.mkdir()
    for pid in (os.getpid(), started):
        other.pid_file.write_text(str(pid))
        assert daemon.running(other) is None
        daemon.stop(other, print)
    assert daemon.running(place) == started


def test_data_in_use_by_a_daemon_that_can_not_be_seen_are_refused(
    place: Place, started: int
) -> None:
    # As from another namespace of processes, where its number says nothing.
    place.pid_file.rename(place.folder / "hidden")
    with pytest.raises(MillraceError, match="not seen from here"):
        daemon.start(place, print)
    (place.folder / "hidden").rename(place.pid_file)
    assert daemon.running(place) == started


def test_a_killed_daemon_is_followed_by_another_while_its_containers_live(
    place: Place, start_elsewhere: StartElsewhere, tmp_path: Path, eventually: Eventually
) -> None:
    first = start_elsewhere()
    child = int((tmp_path / "tools" / "dockerd.child").read_text())
    os.kill(first, signal.SIGKILL)
    eventually(lambda: _ended(first), 10.0, "the daemon is killed")
    try:
        assert start_elsewhere() != first
    finally:
        # Until here: it raises where there is no such process.
        os.kill(child, signal.SIGKILL)


def test_beside_another_engine_of_this_network_it_refuses(
    script: Script, tmp_path: Path, eventually: Eventually
) -> None:
    script("dockerd", "while :; do sleep 0.05; done")
    with subprocess.Popen([str(tmp_path / "tools" / "dockerd")]) as other:
        try:
            # `Popen` returns a moment before the kernel gives the process its new name.
            name = Path(f"/proc/{other.pid}/comm")
            eventually(lambda: name.read_text() == "dockerd\n", 10, "the other engine's name")
            with pytest.raises(MillraceError, match="is another engine") as refused:
                daemon.refuse_beside_another()
        finally:
            other.kill()
    (named,) = re.findall(r"process (\d+)", refused.value.cause)
    assert f"ps -fp {named}" in refused.value.remedy


def _ended(pid: int) -> bool:
    """Gone, or waiting for its parent to take note."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() == b""
    except OSError:
        return True
