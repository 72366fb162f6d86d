"""The checker of evidence: what holds, what is void, and the last line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from millrace.chaos.evidence import Evidence, Observation, Witness
from millrace.chaos.faults import CORE, FAULTS
from millrace.chaos.report import FaultRun, lines, read, summary, void_reasons, write

OBSERVED = (
    Observation("present", "in-flight:kafka", None, "3 records", 101.0),
    Observation("ended", "process:kafka", "77@1000", None, 102.0),
    Observation("replaced", "process:kafka", "77@1000", "99@2000", 110.0),
)
RUN = FaultRun("broker-killed", 100.0, 120.0, Evidence(OBSERVED), recovery_s=8.0)


def with_seen(*seen: Observation) -> FaultRun:
    return replace(RUN, evidence=Evidence(seen))


def test_a_run_whose_evidence_holds_is_clean() -> None:
    assert void_reasons(RUN) == []
    assert RUN.is_clean


@pytest.mark.parametrize(
    ("forged", "reason"),
    [
        (with_seen(), "there is no evidence"),
        (replace(RUN, fault="no-such-fault"), "there is no fault no-such-fault"),
        (with_seen(*OBSERVED[1:]), "it was not seen: in-flight:kafka present"),
        (with_seen(*OBSERVED[:2]), "it was not seen: process:kafka replaced"),
        (
            with_seen(*OBSERVED[:2], replace(OBSERVED[2], after="77@1000")),
            "the evidence does not show it: process:kafka replaced: 77@1000 -> 77@1000",
        ),
        (
            with_seen(OBSERVED[0], replace(OBSERVED[1], after="77@1000"), OBSERVED[2]),
            "the evidence does not show it: process:kafka ended: 77@1000 -> 77@1000",
        ),
        (
            with_seen(*OBSERVED[:2], replace(OBSERVED[2], at=99.0)),
            "the evidence is of another time: process:kafka replaced: 77@1000 -> 99@2000",
        ),
        (
            with_seen(*OBSERVED, Observation("felt", "process:kafka", "a", "b", 111.0)),
            "the evidence does not show it: process:kafka felt: a -> b",
        ),
    ],
    ids=["none", "unknown", "no flight", "not replaced", "same", "alive", "earlier", "kind"],
)
def test_a_false_report_is_void(forged: FaultRun, reason: str) -> None:
    assert reason in void_reasons(forged)
    assert not forged.is_clean


@pytest.mark.parametrize(
    ("kind", "before", "after", "holds"),
    [
        ("moved", "v1", "v2", True),
        ("moved", "v1", "v1", False),
        ("moved", None, "v1", True),
        ("unmoved", "v1", "v1", True),
        ("unmoved", "v1", "v2", False),
        ("unmoved", None, None, False),
        ("present", None, "a line", True),
        ("present", None, None, False),
        ("absent", "7", None, True),
        ("absent", "7", "7", False),
        ("refused", None, "has been modified", True),
        ("refused", None, None, False),
    ],
)
def test_each_kind_has_its_rule(
    kind: str, before: str | None, after: str | None, holds: bool
) -> None:
    assert Observation(kind, "thing", before, after, 0.0).holds is holds


def test_what_is_wrong_after_a_fault_is_not_clean() -> None:
    assert not replace(RUN, lost=1).is_clean
    assert not replace(RUN, doubled=1).is_clean
    assert not replace(RUN, recovery_s=None).is_clean
    assert not replace(RUN, findings=("L5 orders: a column differs",)).is_clean


def test_the_last_line_counts() -> None:
    void, lost = with_seen(), replace(RUN, lost=2, findings=("L1",))
    assert summary([RUN, RUN]) == "2 faults, 0 lost, 0 doubled, 0 void"
    assert summary([RUN, void, lost]) == "3 faults, 2 lost, 0 doubled, 1 void"
    stuck = replace(RUN, recovery_s=None)
    assert summary([RUN, stuck]) == "2 faults, 0 lost, 0 doubled, 0 void, 1 with findings"


def test_records_are_kept_and_read_again(tmp_path: Path) -> None:
    second = replace(RUN, seed=7, hands=("landing start",), findings=("L4",))
    write(RUN, tmp_path, 1)
    file = write(second, tmp_path, 2)
    assert file.name == "02-broker-killed.json"
    assert list(read(tmp_path)) == [RUN, second]


def test_a_run_is_shown_with_its_evidence() -> None:
    shown = lines(replace(RUN, hands=("landing start",)))
    assert shown[0].startswith("ok   broker-killed")
    assert "8.0 s" in shown[0]
    assert shown[2].endswith("process:kafka ended: 77@1000")
    assert shown[4].endswith("landing start")


def test_a_witness_marks_the_strike_and_keeps_the_order() -> None:
    witness = Witness(lambda: ("ledger", 5))  # type: ignore[arg-type, return-value]
    assert witness.struck_at is None
    witness.see("present", "a", None, "1")
    witness.strike()
    witness.see("absent", "b", "2", None)
    assert [each.subject for each in witness.evidence.observations] == ["a", "b"]
    first, second = witness.evidence.observations
    assert witness.struck_at is not None
    assert first.at <= witness.struck_at <= second.at
    assert witness.mark == ("ledger", 5)


def test_every_fault_says_what_it_needs_and_the_core_is_known() -> None:
    for fault in FAULTS.values():
        assert fault.needs, fault.name
        assert fault.title
    assert set(CORE) <= set(FAULTS)
