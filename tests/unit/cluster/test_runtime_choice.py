"""Which runtime a cluster has, and what is said where two claim one state folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from millrace.cluster import choice
from millrace.cluster.choice import choose, record, recorded
from millrace.cluster.docker.runtime import DockerRuntime
from millrace.cluster.native import NativeRuntime
from millrace.cluster.runtime import current
from millrace.errors import MillraceError
from millrace.settings import ROOT, Settings

GOLDEN = ROOT / "tests" / "golden" / "errors"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / ".millrace")


@pytest.fixture(autouse=True)
def _unsaid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUNTIME", raising=False)


def test_what_the_user_says_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("docker", "native"):
        monkeypatch.setenv("RUNTIME", name)
        assert choose(tmp_path) == name


def test_then_what_the_state_folder_has(tmp_path: Path) -> None:
    for name in ("docker", "native"):
        record(tmp_path, name)
        assert (choose(tmp_path), (tmp_path / "runtime").read_text()) == (name, f"{name}\n")


def test_a_state_folder_from_before_there_was_a_record_is_native(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    assert recorded(tmp_path) == ""
    (tmp_path / "data" / "kafka").mkdir()
    assert recorded(tmp_path) == "native"


def test_then_what_the_machine_has(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert choose(tmp_path) == "native"
    monkeypatch.setattr(choice, "find_engine", lambda: None)
    assert choose(tmp_path) == "docker"


def test_the_choice_needs_no_library(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-m", "millrace.cluster.choice"],
        env={"PATH": "/nowhere", "MILLRACE_HOME": str(tmp_path)},
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "native\n"


def expect(golden: str, settings: Settings) -> None:
    with pytest.raises(MillraceError) as caught:
        current(settings)
    said = f"error: {caught.value}\n".replace(str(settings.home), "<folder>")
    assert said == (GOLDEN / f"{golden}.txt").read_text()


def test_an_unknown_runtime_is_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME", "podman")
    expect("runtime_unknown", settings)


def test_a_state_folder_of_the_other_runtime_is_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(settings.home, "native")
    monkeypatch.setenv("RUNTIME", "docker")
    expect("runtime_of_the_other", settings)
    monkeypatch.setattr(NativeRuntime, "is_running", lambda _: True)
    expect("runtime_is_running", settings)


def test_the_runtime_is_the_chosen_one(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME", "native")
    assert isinstance(current(settings), NativeRuntime)
    monkeypatch.setenv("RUNTIME", "docker")
    assert isinstance(current(settings, ["mysql"]), DockerRuntime)


def test_an_overlay_is_for_docker_only(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME", "native")
    with pytest.raises(MillraceError, match="only Docker has overlays"):
        current(settings, ["mysql"])
