"""The commits of a table, and what they say of a drain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyiceberg.table import Table


@dataclass(frozen=True)
class Commit:
    """A snapshot that added rows: when, in seconds since the epoch, and how many."""

    at: float
    rows: int


def commits_of(table: Table) -> list[Commit]:
    """Every commit that added rows, the first one first."""
    found = []
    for snapshot in sorted(table.snapshots(), key=lambda each: each.sequence_number or 0):
        summary = snapshot.summary
        added = int(summary["added-records"] or 0) if summary and "added-records" in summary else 0
        if added:
            found.append(Commit(snapshot.timestamp_ms / 1000, added))
    return found


@dataclass(frozen=True)
class Drain:
    """How a topic was drained.

    Attributes:
        began: when the contestant was started, in seconds since the epoch.
        commits: all of them, at least one.
    """

    began: float
    commits: Sequence[Commit]

    @property
    def rows(self) -> int:
        """All rows that were committed."""
        return sum(each.rows for each in self.commits)

    @property
    def first_s(self) -> float:
        """From the start to the first commit: starting up, and the first rows."""
        return self.commits[0].at - self.began

    @property
    def wall_s(self) -> float:
        """From the start to the last commit."""
        return self.commits[-1].at - self.began

    @property
    def steady_s(self) -> float:
        """From the first commit to the last one."""
        return self.commits[-1].at - self.commits[0].at

    @property
    def steady_rows(self) -> int:
        """What was committed in that time: all but the first commit."""
        return self.rows - self.commits[0].rows
