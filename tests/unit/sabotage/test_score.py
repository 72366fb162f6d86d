"""What counts as caught: the right law at the right place, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from millrace.sabotage.damages import DAMAGES, Mark
from millrace.sabotage.grounds import BusyError, alone
from millrace.sabotage.run import Outcome, catching, lines
from millrace.verify.report import Finding

PLACE, OTHER = (0, 7), (1, 7)


def found(law: str, *positions: tuple[int, int], text: str = "", total: int = 0) -> Finding:
    return Finding(law, "visits", text, "make status", positions, total or len(positions))


def test_a_finding_of_the_law_at_the_place_catches() -> None:
    right = found("L1", OTHER, PLACE)
    assert catching(Mark("L1", frozenset({PLACE})), [found("L4", PLACE), right]) is right


@pytest.mark.parametrize(
    "findings",
    [[], [found("L4", PLACE)], [found("L1", OTHER)], [found("L1")]],
    ids=["nothing", "another law", "another place", "no place"],
)
def test_any_other_failure_does_not_count(findings: list[Finding]) -> None:
    assert catching(Mark("L1", frozenset({PLACE})), findings) is None


def test_the_places_may_be_told_by_several_findings_of_the_law() -> None:
    mark = Mark("L5", frozenset({PLACE, OTHER}))
    assert catching(mark, [found("L5", PLACE)]) is None
    assert catching(mark, [found("L5", PLACE), found("L5", OTHER)])


def test_a_finding_that_keeps_only_its_first_places_has_to_have_those_and_count_all() -> None:
    mark = Mark("L1", frozenset((0, offset) for offset in range(0, 20, 2)))
    kept = [(0, 0), (0, 1), (0, 2), (0, 4)]
    assert catching(mark, [found("L1", *kept, total=11)])
    assert catching(mark, [found("L1", *kept, total=9)]) is None
    assert catching(mark, [found("L1", (0, 0), (0, 4), total=11)]) is None
    assert catching(mark, [found("L1", *kept)]) is None


def test_each_name_has_to_be_told() -> None:
    mark = Mark("L7", names=("a.parquet", "b.parquet"))
    assert catching(mark, [found("L7", text="a.parquet is gone")]) is None
    assert catching(mark, [found("L7", text="a.parquet and b.parquet are gone")])
    assert catching(mark, [found("L5", text="a.parquet b.parquet"), found("L7")]) is None


def test_a_miss_says_what_was_expected_and_what_was_found_instead() -> None:
    mark = Mark("L1", frozenset({PLACE}))
    outcome = Outcome(DAMAGES[0], mark, None, (found("L4", OTHER, text="twice"),), 1.0)
    said = lines(outcome, 1, 20)
    assert "MISSED: L1 0/7" in said[0] and "found instead: L4 twice" in said[1]


def test_there_are_twelve_damages_of_different_names() -> None:
    assert len({damage.name for damage in DAMAGES}) == len(DAMAGES) == 12


def test_two_runs_do_not_share_the_copies(tmp_path: Path) -> None:
    holds = "import sys, pathlib; from millrace.sabotage.grounds import alone\n"
    holds += "with alone(pathlib.Path(sys.argv[1])): print('holds', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", holds, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == "holds\n"
        with pytest.raises(BusyError), alone(tmp_path):
            raise AssertionError("both have the copies")
        other.kill()
    with alone(tmp_path):
        """A killed run gives them back."""
