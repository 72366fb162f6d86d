"""What can be wrong with a contract, and how it is said: file, line, field, cause, remedy."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from millrace.errors import MillraceError
from millrace.settings import ROOT


@dataclass(frozen=True)
class Problem:
    """One fault of a contract file.

    Attributes:
        line: where it stands, counted from 1.
        field: dotted name of the field, `lines.quantity`; empty for the contract as a whole.
        cause: what is wrong, without a closing stop.
        remedy: what to write instead.
    """

    line: int
    field: str
    cause: str
    remedy: str


class ContractError(MillraceError):
    """A contract file that is refused, with every problem that was found in it."""

    def __init__(self, path: Path, problems: Sequence[Problem]) -> None:
        self.path = path
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line))
        self._errors = [_as_error(path, problem) for problem in self.problems]
        first = self._errors[0]
        super().__init__(first.thing, first.cause, first.remedy)

    def __reduce__(self) -> tuple[type[ContractError], tuple[Path, tuple[Problem, ...]]]:
        return type(self), (self.path, self.problems)

    def __str__(self) -> str:
        return "\nerror: ".join(str(error) for error in self._errors)


class UnknownDatasetError(MillraceError):
    """A dataset without a contract; the message names the nearest ones."""

    def __init__(self, dataset: str, known: Collection[str]) -> None:
        near = get_close_matches(dataset, known, n=3, cutoff=0.5) or sorted(known)
        super().__init__(
            f"dataset {dataset}",
            f"there is no contracts/{dataset}.yaml",
            f"bin/millrace datasets  # lists all; use one of {', '.join(near)}",
        )
        self.dataset, self.known = dataset, known

    def __reduce__(self) -> tuple[type[UnknownDatasetError], tuple[str, Collection[str]]]:
        return type(self), (self.dataset, self.known)


def _as_error(path: Path, problem: Problem) -> MillraceError:
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    where = f"{shown}:{problem.line}"
    thing = f"{where}: field {problem.field}" if problem.field else where
    return MillraceError(thing, problem.cause, f"make validate  # first {problem.remedy}")
