"""What verification found: readable lines, and a receipt that a program reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

#: Law -> what it says, as the report prints it.
LAWS = {
    "L1": "acknowledged = landed once, or quarantined once",
    "L2": "refused = nowhere",
    "L3": "unknown = zero or one",
    "L4": "positions are unique and without a gap",
    "L5": "every column equals an independent decoding",
    "L6": "count and checksum agree across the engines",
    "L7": "every file of every kept snapshot is whole",
}
#: Counts that the report shows even where they are zero everywhere.
ALWAYS = ("acknowledged", "landed", "quarantined", "lost", "doubled")
#: Positions that a finding carries, and that a line shows, at most.
KEPT_POSITIONS = 1000
SHOWN_POSITIONS = 10


@dataclass(frozen=True)
class Finding:
    """One way in which one dataset breaks one law.

    Attributes:
        law: `L1` to `L7`.
        remedy: a command to go on with.
        positions: (partition, offset) of the records, the first ones where there are many.
        total: how many records there are, where positions could be named.
    """

    law: str
    dataset: str
    text: str
    remedy: str
    positions: tuple[tuple[int, int], ...] = ()
    total: int = 0

    def lines(self) -> list[str]:
        """The finding for people, with its first positions."""
        lines = [f"{self.law} {self.dataset}: {self.text}"]
        if self.positions:
            shown = ", ".join(f"{part}/{at}" for part, at in self.positions[:SHOWN_POSITIONS])
            more = max(self.total, len(self.positions)) - SHOWN_POSITIONS
            lines.append(
                f"  partition/offset {shown}" + (f" and {more:,} more" if more > 0 else "")
            )
        return [*lines, f"  to go on: {self.remedy}"]


@dataclass(frozen=True)
class Check:
    """That a law was judged: how much of what, in which time."""

    law: str
    dataset: str
    number: int
    unit: str
    seconds: float


@dataclass(frozen=True)
class Report:
    """The result of one verification.

    Attributes:
        counts: dataset to what was counted of it, by name.
        durations_s: what was done, to its seconds.
        versions: what it ran with.
        seed: of the sample data, where it is known.
        checks: every law that was judged.
        notes: what was not judged and why, and what is worth knowing; no findings.
        snapshots: table to the snapshot that was judged, None for an empty table.
        ends: topic to partition to the offset below which records were judged.
    """

    findings: tuple[Finding, ...] = ()
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    durations_s: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None
    checks: tuple[Check, ...] = ()
    notes: tuple[str, ...] = ()
    snapshots: Mapping[str, int | None] = field(default_factory=dict)
    ends: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    started_at: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    @property
    def lost(self) -> int:
        """Acknowledged records that are nowhere though they should be."""
        return sum(each.get("lost", 0) for each in self.counts.values())

    @property
    def doubled(self) -> int:
        """Positions that are there more than once, or in raw and open in quarantine at once."""
        return sum(each.get("doubled", 0) for each in self.counts.values())

    def lines(self) -> list[str]:
        """The report for people; the last line is the verdict."""
        lines = [*self._count_lines(), "", *self._check_lines()]
        if self.notes:
            lines += ["", *(f"note: {note}" for note in self.notes)]
        for finding in self.findings:
            lines += ["", *finding.lines()]
        return [*lines, "", self._verdict()]

    def to_json(self) -> str:
        """The receipt."""
        return (
            json.dumps(
                {
                    "ok": self.ok,
                    "lost": self.lost,
                    "doubled": self.doubled,
                    **asdict(self),
                    "laws": LAWS,
                },
                indent=2,
            )
            + "\n"
        )

    def _count_lines(self) -> list[str]:
        names = list(dict.fromkeys(name for each in self.counts.values() for name in each))
        # What is zero everywhere is no column, but for those that people look for.
        names = [
            name
            for name in names
            if name in ALWAYS or any(each.get(name) for each in self.counts.values())
        ]
        rows = [
            [dataset, *(f"{each.get(name, 0):,}" for name in names)]
            for dataset, each in self.counts.items()
        ]
        return _table([["records of", *names], *rows])

    def _check_lines(self) -> list[str]:
        rows = [["law", "dataset", "judged", "", "found", "seconds"]]
        for law, text in LAWS.items():
            mine = [check for check in self.checks if check.law == law]
            if mine:
                rows.append([law, text])
            for check in mine:
                found = sum(
                    (each.law, each.dataset) == (law, check.dataset) for each in self.findings
                )
                seconds = f"{check.seconds:.2f}"
                shown = str(found) if found else "-"
                rows.append(["", check.dataset, f"{check.number:,}", check.unit, shown, seconds])
        return _table(rows)

    def _verdict(self) -> str:
        seconds = f"{self.durations_s.get('all', 0.0):.1f} s"
        if self.ok:
            return f"nothing lost, nothing doubled ({seconds})"
        laws = ", ".join(sorted({finding.law for finding in self.findings}))
        number = len(self.findings)
        return f"{number} finding{'s' * (number != 1)} against {laws} ({seconds})"


def _table(rows: list[list[str]]) -> list[str]:
    """Columns as wide as their widest entry; a row of two is a heading and widens none."""
    wide = [row for row in rows if len(row) > 2]  # noqa: PLR2004
    if not wide:
        return [" ".join(row) for row in rows]
    widths = [max(len(row[column]) for row in wide) for column in range(len(wide[0]))]
    lines = []
    for row in rows:
        if row in wide:
            first, *rest = row
            cells = [first.ljust(widths[0])]
            cells += [
                cell.ljust(width) if cell[:1].isalpha() else cell.rjust(width)
                for cell, width in zip(rest, widths[1:], strict=True)
            ]
            lines.append("  ".join(cells).rstrip())
        else:
            lines.append("  ".join([row[0].ljust(widths[0]), *row[1:]]))
    return lines
