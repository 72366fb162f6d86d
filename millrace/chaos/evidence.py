"""What was seen of a fault: observations of a closed list of kinds, each with a rule.

A fault that nobody saw is no test. A fault says beforehand which observations it needs, and makes
them by looking at the system, never by remembering what it did.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

#: kind -> whether `before` and `after` of an observation show it.
RULES: dict[str, Callable[[str | None, str | None], bool]] = {
    # A process, a container or a file that was one and is another now.
    "replaced": lambda before, after: bool(before and after) and before != after,
    # What was there is not there any more.
    "ended": lambda before, after: bool(before) and after is None,
    # A pointer or an offset.
    "moved": lambda before, after: bool(after) and before != after,
    "unmoved": lambda before, after: bool(before) and before == after,
    # What was looked for and found: files that no snapshot has, a line of a log.
    "present": lambda before, after: bool(after),
    # What was looked for and not found.
    "absent": lambda before, after: bool(before) and after is None,
    # An answer that says no; `after` is the answer.
    "refused": lambda before, after: bool(after),
}
#: Characters of a value that are shown.
SHOWN = 160
#: (kind, beginning of the subject) that the evidence of a fault must hold.
Need = tuple[str, str]


class Mark(NamedTuple):
    """A place in the load's ledger: run files up to it, and bytes of the last one."""

    runs: int
    size: int


@dataclass(frozen=True)
class Observation:
    """One look at one thing.

    Attributes:
        kind: one of `RULES`.
        subject: what was looked at: `process:driver`, `pointer:raw.orders`, `files:raw.orders`.
        before: what it was before, or what was looked for.
        after: what it was at the moment of the look; None where there was nothing.
        at: when, in seconds since the epoch.
    """

    kind: str
    subject: str
    before: str | None
    after: str | None
    at: float

    @property
    def holds(self) -> bool:
        """Whether it shows what its kind says."""
        return self.kind in RULES and RULES[self.kind](self.before, self.after)

    def __str__(self) -> str:
        values = [_short(each) for each in (self.before, self.after) if each is not None]
        return f"{self.subject} {self.kind}: {' -> '.join(values)}"


def _short(value: str) -> str:
    """For people: paths without their folders, and not more than a line; records hold it whole."""
    names = " ".join(word.rpartition("/")[2] for word in value.split())
    return names if len(names) <= SHOWN else f"{names[:SHOWN]}..."


@dataclass(frozen=True)
class Evidence:
    """All that was seen of one fault, in the order it was seen."""

    observations: tuple[Observation, ...] = ()


@dataclass
class Witness:
    """Collects observations while a fault is made.

    Attributes:
        marker: gives the present end of the load's ledger.
        struck_at: when the fault happened, None while it has not.
        mark: the end of the ledger then.
    """

    marker: Callable[[], Mark]
    observations: list[Observation] = field(default_factory=list)
    struck_at: float | None = None
    mark: Mark | None = None

    def see(
        self, kind: str, subject: str, before: str | None = None, after: str | None = None
    ) -> None:
        """Write one look down, whatever it shows; `void_reasons` judges it."""
        self.observations.append(Observation(kind, subject, before, after, time.time()))

    def strike(self) -> None:
        """The fault happens now; the time to recover counts from the last strike."""
        self.struck_at, self.mark = time.time(), self.marker()

    @property
    def evidence(self) -> Evidence:
        """What was seen so far."""
        return Evidence(tuple(self.observations))
