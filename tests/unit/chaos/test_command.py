"""`millrace chaos` before it touches any cluster: what can be named, and what can not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from millrace.chaos.__main__ import main
from millrace.chaos.faults import FAULTS
from millrace.cli.chaos import chaos
from millrace.errors import MillraceError
from millrace.settings import load

GOLDEN = Path(__file__).parents[2] / "golden" / "errors"


def test_every_fault_is_listed_with_what_it_does() -> None:
    said = CliRunner().invoke(chaos, ["--list"]).output.splitlines()
    assert [line.split()[0] for line in said] == list(FAULTS)
    assert all(FAULTS[line.split()[0]].title in line for line in said)


def test_a_fault_that_there_is_not_is_refused_before_a_cluster_starts() -> None:
    done = CliRunner().invoke(chaos, ["--faults", "broker-killed,two-driver"])
    assert isinstance(done.exception, MillraceError)
    golden = (GOLDEN / "chaos_unknown_fault.txt").read_text()
    assert f"error: {done.exception}\n" == golden


def test_a_cluster_that_is_not_for_faults_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILLRACE_HOME", str(tmp_path / ".millrace"))
    monkeypatch.setattr(sys, "argv", ["millrace.chaos", "--out", str(tmp_path / "records")])
    load.cache_clear()
    try:
        with pytest.raises(SystemExit) as left:
            main()
    finally:
        load.cache_clear()
    said = f"{left.value}\n".replace(str(tmp_path), "<folder>")
    assert said == (GOLDEN / "chaos_other_folder.txt").read_text()


def test_faults_and_a_storm_exclude_each_other() -> None:
    done = CliRunner().invoke(chaos, ["--faults", "broker-killed", "--storm", "3"])
    assert done.exit_code == 2
    assert "exclude each other" in done.output
