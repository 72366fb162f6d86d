"""The report for people and for programs, and the command's usage."""

from __future__ import annotations

import errno
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from millrace.cli import main
from millrace.cli.verify import ENGINES, WAIT_S, verify
from millrace.verify import run
from millrace.verify.errors import SourceAwayError
from millrace.verify.report import Finding, Report

GOLDEN = Path(__file__).parents[2] / "golden" / "errors"


def test_a_finding_is_shown_with_its_first_positions_and_what_to_do() -> None:
    positions = tuple((0, at) for at in range(30))
    lines = Report(
        (Finding("L1", "orders", "30 records are gone", "make x", positions, 30),)
    ).lines()
    assert lines[-5:-2] == [
        "L1 orders: 30 records are gone",
        "  partition/offset " + ", ".join(f"0/{at}" for at in range(10)) + " and 20 more",
        "  to go on: make x",
    ]
    assert lines[-1].startswith("1 finding against L1")


def test_the_receipt_holds_what_the_report_says(world: Any) -> None:
    receipt = json.loads(world.verify().to_json())
    assert (receipt["ok"], receipt["lost"], receipt["doubled"]) == (True, 0, 0)
    assert receipt["counts"]["visits"]["landed"] == 5
    assert receipt["ends"] == {"visits": {"0": 6}}
    assert set(receipt["snapshots"]) == {"raw.visits", "raw.quarantine"}
    assert {check["law"] for check in receipt["checks"]} >= {"L1", "L2", "L3", "L4", "L5", "L7"}
    assert {"millrace", "avro", "pyiceberg"} <= set(receipt["versions"])


def test_what_is_lost_and_what_is_doubled_is_counted(world: Any) -> None:
    world.drop("raw.visits", 1, 2)
    world.change("raw.visits", lambda rows: [*rows, rows[0]])
    report = world.verify()
    assert (report.lost, report.doubled) == (2, 1)


def test_the_command_knows_what_verification_knows() -> None:
    assert (ENGINES, WAIT_S) == (run.ENGINES, run.WAIT_S)


@pytest.mark.parametrize(
    "arguments", [["--engines", "hive"], ["--since", "soon"], ["--wait", "-1"]]
)
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(verify, arguments).exit_code == 2


def ending(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> object:
    """The exit code of `millrace verify ARGUMENTS`."""
    monkeypatch.setattr(sys, "argv", ["millrace", "verify", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    return left.value.code


@pytest.mark.parametrize(
    ("findings", "code"), [((), 0), ((Finding("L1", "orders", "a record is gone", "make x"),), 1)]
)
def test_a_judgement_ends_with_0_or_1_and_a_receipt(
    findings: tuple[Finding, ...], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "sources_of", lambda *_: None)
    monkeypatch.setattr(run, "verify", lambda *_, **__: Report(findings))
    receipt = tmp_path / "it.json"
    assert ending(["--receipt", str(receipt)], monkeypatch) == code
    assert receipt.exists()


@pytest.mark.parametrize(
    ("error", "golden"),
    [
        (SourceAwayError("the store of the tables", "Connection refused"), "verify_source_away"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "command_disk_full"),
    ],
)
def test_what_can_not_be_judged_ends_with_3_and_no_receipt(
    error: Exception,
    golden: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(run, "sources_of", lambda *_: None)
    monkeypatch.setattr(run, "verify", fail)
    receipt = tmp_path / "it.json"
    assert ending(["--receipt", str(receipt)], monkeypatch) == 3
    assert capsys.readouterr().err == (GOLDEN / f"{golden}.txt").read_text()
    assert not receipt.exists()


def test_since_is_so_long_ago_or_a_time_in_utc() -> None:
    taken = verify.make_context("verify", ["--since", "2026-11-20"]).params["since"]
    assert taken == datetime(2026, 11, 20, tzinfo=UTC)
    taken = verify.make_context("verify", ["--since", "7d"]).params["since"]
    assert (datetime.now(UTC) - taken).days == 7


def test_a_receipt_that_can_not_be_written_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path, tmp_path / "file" / "below" / "it.json"):
        assert CliRunner().invoke(verify, ["--receipt", str(place)]).exit_code == 2
