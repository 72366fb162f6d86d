"""The page of the faults: a row for each that was measured, a line for each that was not."""

from __future__ import annotations

import re
from pathlib import Path

from millrace.chaos.evidence import Evidence, Observation
from millrace.chaos.faults import FAULTS
from millrace.chaos.faults.storm import Storm
from millrace.chaos.page import HEAD, row
from millrace.chaos.report import FaultRun

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "faults.md").read_text()
MEASURED, _, REST = PAGE.partition("\n## Not measured")


def test_every_fault_is_on_the_page_once_and_nothing_else_is() -> None:
    measured = re.findall(r"^\| `([a-z-]+)` \|", MEASURED, flags=re.MULTILINE)
    waiting = re.findall(r"^- `([a-z-]+)`", REST, flags=re.MULTILINE)
    assert sorted([*measured, *waiting, Storm.name]) == sorted(FAULTS)
    assert "\n".join(HEAD) in PAGE


def test_a_row_that_was_measured_says_nothing_lost_nothing_doubled() -> None:
    rows = [line for line in MEASURED.splitlines() if line.startswith("| `")]
    assert all(re.search(r"\| \d+ s \| 0 \| 0 \|$", line) for line in rows), rows


def test_two_storms_were_measured() -> None:
    storms = re.findall(r"^\| \d+ minutes, seed (\d+) \|(.*)$", PAGE, flags=re.MULTILINE)
    assert len({seed for seed, _ in storms}) >= 2
    assert all(re.search(r"\| \d+ s \| 0 \| 0 \|$", cells) for _, cells in storms), storms


def test_a_row_says_what_was_measured_and_what_is_void() -> None:
    fault = FAULTS["broker-killed"]
    seen = (
        Observation("present", "in-flight:kafka", None, "3 records", 101.0),
        Observation("ended", "process:kafka", "77@1000", None, 102.0),
        Observation("replaced", "process:kafka", "77@1000", "99@2000", 110.0),
    )
    clean = FaultRun(fault.name, 100.0, 120.0, Evidence(seen), recovery_s=8.4)
    assert row(fault, clean).endswith("| 8 s | 0 | 0 |")
    assert "in-flight:kafka present, process:kafka ended" in row(fault, clean)
    void = FaultRun(fault.name, 100.0, 120.0, Evidence(seen[:1]), recovery_s=8.4)
    assert "| void |" in row(fault, void)
