"""Compares an error with its golden file."""

from __future__ import annotations

from millrace.cluster.preflight import Problem
from millrace.errors import MillraceError
from millrace.settings import ROOT

GOLDEN = ROOT / "tests" / "golden" / "errors"


def expect(golden: str, problem: Problem | MillraceError | str, **places: object) -> None:
    """The words of an error, with the places that differ from run to run replaced."""
    if isinstance(problem, Problem):
        problem = MillraceError(problem.thing, problem.cause, problem.remedy)
    said = problem if isinstance(problem, str) else f"error: {problem}\n"
    for name, value in places.items():
        said = said.replace(str(value), f"<{name}>")
    file = GOLDEN / f"docker_{golden}.txt"
    assert said == file.read_text()
