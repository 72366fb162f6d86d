"""What a run measured: a table for people, JSON for programs."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

MILLION = 1_000_000
#: The figures to come, on a machine of this kind.
GOAL_ROWS_PER_S = 300_000
GOAL_P99_S = 3.0


def this_machine() -> dict[str, Any]:
    """What it was measured on."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(pages / 2**30, 1),
        "system": platform.platform(terse=True),
    }


@dataclass(frozen=True)
class Turn:
    """One contestant's figures; none where its table was not right.

    Attributes:
        failed: why there are none.
        verdict: what the reader said of the table.
        load: of the machine as it began, the mean of a minute.
        bytes: of the values of all records.
        first_s: from the start to the first commit.
        wall_s: from the start to the last commit.
        steady_s, steady_rows: between the first commit and the last one.
        cpu_s: of its own processes until the last commit; `steady_cpu_s` of it since the first.
    """

    name: str
    title: str
    load: float
    failed: str = ""
    verdict: str = ""
    rows: int = 0
    bytes: int = 0
    commits: int = 0
    first_s: float = 0.0
    wall_s: float = 0.0
    steady_s: float = 0.0
    steady_rows: int = 0
    cpu_s: float = 0.0
    steady_cpu_s: float = 0.0

    @property
    def figures(self) -> dict[str, float | None]:
        """What is compared; a rate between two commits is None where there is one commit."""
        steady = self.steady_rows / self.steady_s if self.steady_s else None
        size = self.bytes / self.rows
        return {
            "rows_per_s": self.rows / self.wall_s,
            "mb_per_s": self.bytes / self.wall_s / MILLION,
            "steady_rows_per_s": steady,
            "steady_mb_per_s": steady * size / MILLION if steady else None,
            "cpu_s_per_million": self.cpu_s / self.rows * MILLION,
            "steady_cpu_s_per_million": (
                self.steady_cpu_s / self.steady_rows * MILLION if self.steady_rows else None
            ),
        }


@dataclass(frozen=True)
class Freshness:
    """How soon records were visible at one rate.

    Attributes:
        rate: what was asked for, rows a second; `sent_per_s` is what was sent.
        followed: how many records the percentiles are of; `unseen` of them never were visible.
        counted: rows by the offsets, by a count, and by the offsets again.
        load: of the machine as it began, the mean of a minute.
    """

    rate: int
    sent: int
    sent_per_s: float
    followed: int
    unseen: int
    p50_s: float
    p99_s: float
    counted: tuple[int, int, int]
    load: float


@dataclass(frozen=True)
class Report:
    """A whole run.

    Attributes:
        terms: what was the same for all.
    """

    at: str
    terms: Mapping[str, Any]
    turns: Sequence[Turn] = ()
    freshness: Sequence[Freshness] = ()
    failures: Sequence[str] = ()
    machine: Mapping[str, Any] = field(default_factory=this_machine)

    @property
    def is_right(self) -> bool:
        """Whether everything that was tried has a figure."""
        return not self.failures and not any(turn.failed for turn in self.turns)

    def to_json(self) -> str:
        """Everything, with what is compared; what is infinite is null."""
        whole = asdict(self)
        for turn, entry in zip(self.turns, whole["turns"], strict=True):
            entry["figures"] = None if turn.failed else turn.figures
        return json.dumps(_finite(whole), indent=2) + "\n"

    def write(self, path: Path) -> None:
        """Write the JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.to_json())

    def lines(self) -> list[str]:
        """The tables that are printed, as Markdown."""
        found = []
        if self.turns:
            found += TURN_HEAD + [_turn_line(turn) for turn in self.turns]
        if self.freshness:
            found += ["", *FRESHNESS_HEAD, *(_freshness_line(each) for each in self.freshness)]
        found += ["", *(f"failed: {each}" for each in self.failures)] if self.failures else []
        return [*found, "", f"goals to come: {GOAL_ROWS_PER_S:,} rows/s, p99 {GOAL_P99_S:g} s"]


TURN_HEAD = [
    "| contestant | rows/s | MB/s | first to last commit: rows/s | MB/s | first commit s | wall s |"
    " CPU s / M rows | first to last | commits | load | table |",
    "| --- |" + " ---: |" * 10 + " --- |",
]
FRESHNESS_HEAD = [
    "| rows/s asked | sent | p50 s | p99 s | followed | never seen | load |"
    " offsets, count, offsets |",
    "| ---: |" + " ---: |" * 6 + " --- |",
]


def _turn_line(turn: Turn) -> str:
    if turn.failed:
        reason = " ".join(turn.failed.split())[:300].replace("|", "/")
        return f"| {turn.title} |" + " - |" * 9 + f" {turn.load:.1f} | no number: {reason} |"
    figures = turn.figures
    cells = [
        turn.title,
        _number(figures["rows_per_s"]),
        _number(figures["mb_per_s"], 1),
        _number(figures["steady_rows_per_s"]),
        _number(figures["steady_mb_per_s"], 1),
        _number(turn.first_s, 1),
        _number(turn.wall_s, 1),
        _number(figures["cpu_s_per_million"], 1),
        _number(figures["steady_cpu_s_per_million"], 1),
        str(turn.commits),
        _number(turn.load, 1),
        turn.verdict,
    ]
    return f"| {' | '.join(cells)} |"


def _freshness_line(each: Freshness) -> str:
    cells = [
        f"{each.rate:,}",
        f"{each.sent_per_s:,.0f}",
        _number(each.p50_s, 1),
        _number(each.p99_s, 1),
        f"{each.followed:,}",
        f"{each.unseen:,}",
        _number(each.load, 1),
        " <= ".join(f"{rows:,}" for rows in each.counted),
    ]
    return f"| {' | '.join(cells)} |"


def _number(value: float | None, digits: int = 0) -> str:
    if value is None:
        return "-"
    return "never" if math.isinf(value) else f"{value:,.{digits}f}"


def _finite(value: Any) -> Any:
    """JSON has no infinity."""
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and math.isinf(value) else value
