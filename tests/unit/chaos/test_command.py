"""`millrace chaos` before it touches any cluster: what can be named, and what can not."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from millrace.chaos.faults import FAULTS
from millrace.cli.chaos import chaos
from millrace.errors import MillraceError

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


def test_faults_and_a_storm_exclude_each_other() -> None:
    done = CliRunner().invoke(chaos, ["--faults", "broker-killed", "--storm", "3"])
    assert done.exit_code == 2
    assert "exclude each other" in done.output
