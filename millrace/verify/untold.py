"""L2 and L3: records at positions that no producer was told of.

A refused record and one whose fate is unknown have no position. They are found by the digest of
their value and the run of their producer, which Millrace's producers write in the headers.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from millrace.verify.facts import Facts
from millrace.verify.findings import finding, how_to_see
from millrace.verify.keys import Keys, Mask, is_in, within
from millrace.verify.report import Finding
from millrace.verify.tables import Held


class Untold:
    """The laws of the refused and the unknown for one subject."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.counts: dict[str, int] = {}
        self.notes: list[str] = []

    def findings(self) -> Iterator[Finding]:
        """All that breaks L2 or L3, and rows that the ledger should know and does not (L1)."""
        facts = self.facts
        told = np.sort(facts.ledger.keys)
        slots = facts.ledger.unknown.copy()
        refused = {digest for _, digest in facts.ledger.refused}
        unsure = {digest for _, digest in slots}
        broken: dict[str, list[int]] = {}
        for key, run, digest in _distinct(told, facts):
            if slots[run, digest] > 0:
                slots[run, digest] -= 1
                self.counts["unknown, arrived"] = self.counts.get("unknown, arrived", 0) + 1
            else:
                broken.setdefault(self._case(run, digest, refused, unsure), []).append(key)
        foreign = len(broken.pop("foreign", []))
        self.counts["without a ledger"] = foreign
        if foreign:
            self.notes.append(
                f"{facts.subject.dataset}: {foreign:,} records come from producers that keep no"
                " ledger: L1 to L3 say nothing of them"
            )
        for case, found in broken.items():
            yield self._finding(case, np.asarray(found, np.int64))

    def _case(self, run: str, digest: str, refused: set[str], unsure: set[str]) -> str:
        if digest in refused:
            return "L2"
        if digest in unsure:
            return "L3"
        if not run:
            return "foreign"
        return "silent" if run in self.facts.began else f"run {run}"

    def _finding(self, case: str, keys: Keys) -> Finding:
        facts = self.facts
        folder = facts.subject.ledger
        remedy = how_to_see(facts, keys)
        if case == "L2":
            return finding(facts, "L2", "were refused and are in a table", remedy, keys)
        if case == "L3":
            return finding(facts, "L3", "whose fate was unknown are there again", remedy, keys)
        if case == "silent":
            text = "are in a table, and the ledger of their run knows nothing of them"
            return finding(facts, "L1", text, f"ls -l {folder}  # restore the file", keys)
        name = case.removeprefix("run ")
        text = f"come from the run {name}, whose file is not in the ledger"
        return finding(facts, "L1", text, f"ls -l {folder}  # restore {name}.jsonl", keys)


def _distinct(told: Keys, facts: Facts) -> Iterator[tuple[int, str, str]]:
    """Position, run and digest of the rows that nobody told of, each position once.

    A replayed record is in both tables; quarantine has it as it was sent.
    """
    seen: set[int] = set()
    for held in (facts.quarantine, facts.raw):
        untold = ~is_in(held.keys, told)
        if facts.subject.since is not None:
            untold &= ~_before(held, facts)
        chosen = held.where(untold)
        rows = zip(chosen.keys, chosen.runs.to_pylist(), chosen.digests.to_pylist(), strict=True)
        for key, run, digest in rows:
            if int(key) not in seen:
                seen.add(int(key))
                yield int(key), run or "", digest or ""


def _before(held: Held, facts: Facts) -> Mask:
    """Rows before the first judged offset of their partition."""
    starts = {part: (0, low) for part, (low, _) in facts.ranges.items()}
    return within(held.keys, starts)
