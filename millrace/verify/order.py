"""L4: each position once, and none left out that the log has.

A position that neither table has is explained by the log: what a reader of committed records is
not given is a record of an aborted transaction (one who reads everything is given it) or a control
record (nobody is given it). Everything else that is missing is a finding.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np

from millrace.verify.facts import Facts
from millrace.verify.findings import LAND, SINCE, STATUS, finding, how_to_go_back
from millrace.verify.keys import (
    EMPTY,
    Keys,
    beyond,
    is_in,
    keys_of,
    missing,
    positions_of,
    repeated,
    size,
    within,
)
from millrace.verify.neighbours import Neighbours
from millrace.verify.report import KEPT_POSITIONS, Finding
from millrace.verify.topic import Log

Gaps = dict[int, list[tuple[int, int]]]
#: So many single offsets are listed in a note.
LISTED = 20


class Order:
    """The law of positions for one subject."""

    def __init__(self, facts: Facts, log: Log) -> None:
        self.facts = facts
        self._log = log
        self.counts: dict[str, int] = {}
        self.notes: list[str] = []

    def findings(self) -> list[Finding]:
        """All that breaks L4; what is explained is counted and listed."""
        return [*self._topic(), *self._repeated(), *self._beyond(), *self._gaps()]

    def _topic(self) -> Iterator[Finding]:
        """Whether table and log are of one topic."""
        facts = self.facts
        told, now = facts.landed.topic_id, facts.log.topic_id
        if told and now and told != now:
            text = f"the table landed the topic {told}, which is gone: the topic is {now} now"
            yield finding(facts, "L4", text, STATUS)
        if not facts.landed.is_recorded and len(facts.raw.keys):
            self.notes.append(
                f"{facts.subject.dataset}: no snapshot of {facts.subject.raw_table} says how far it"
                " has landed; the greatest offset counts"
            )
        for name, strangers in (
            (facts.subject.raw_table, facts.raw.strangers),
            (facts.subject.quarantine_table, facts.quarantine.strangers),
        ):
            if strangers:
                text = f"rows of {name} ({strangers:,}) are of another topic than"
                yield finding(facts, "L4", f"{text} {facts.subject.topic}", STATUS)

    def _repeated(self) -> Iterator[Finding]:
        facts = self.facts
        for name, held in (
            (facts.subject.raw_table, facts.raw),
            (facts.subject.quarantine_table, facts.quarantine),
        ):
            if len(twice := repeated(facts.scope(held).keys)):
                text = f"are in {name} more than once"
                yield finding(facts, "L4", text, STATUS, twice)

    def _beyond(self) -> Iterator[Finding]:
        """Rows that the landed end does not cover, and an end that the log does not have."""
        facts = self.facts
        landed = {part: (0, end) for part, end in facts.landed.ends.items()}
        ahead = facts.raw.keys[beyond(facts.raw.keys, landed)]
        if len(ahead):
            text = f"are in {facts.subject.raw_table} at or after its own landed end"
            yield finding(facts, "L4", text, LAND, ahead)
        held = np.union1d(facts.raw.keys, facts.quarantine.keys)
        held = held[within(held, facts.kept_ranges)]
        if len(strange := held[~is_in(held, facts.topic_keys)]):
            text = "are in a table, and the topic has no committed record at their position"
            yield finding(facts, "L4", text, STATUS, strange)
        for part, (_, end) in facts.ranges.items():
            if end > facts.log.ends.get(part, 0):
                text = (
                    f"partition {part} is landed up to {end}, but the log ends at"
                    f" {facts.log.ends.get(part, 0)}"
                )
                yield finding(facts, "L4", text, STATUS)

    def _gaps(self) -> Iterator[Finding]:
        facts = self.facts
        held = np.union1d(facts.raw.keys, facts.quarantine.keys)
        expected = self._expected(held)
        known = facts.topic_keys[within(facts.topic_keys, expected)]
        lost = known[~is_in(known, held)]
        expired = facts.topic_at[np.searchsorted(facts.topic_keys, lost)] < facts.expired_before
        self._note_expired(int(expired.sum()))
        if len(lost := lost[~expired]):
            yield finding(
                facts, "L4", self._where(lost), how_to_go_back(facts.subject.raw_table), lost
            )
        silent = missing(np.union1d(held, facts.topic_keys), expected)
        self._explain(_cut(silent, facts.kept_ranges))
        known_to_nobody, unkept = self._not_in_log(silent)
        if known_to_nobody:
            self.notes.append(
                f"{facts.subject.dataset}: in no table and no more in the topic, and the ledger"
                f" acknowledged nothing there: {_listed(known_to_nobody)}"
            )
        if unkept:
            number = sum(size(each) for each in unkept.values())
            text = (
                f"{number:,} positions between the first kept and the landed end are in no table,"
                " and the topic no longer has them to say why: " + _listed(unkept)
            )
            yield Finding("L4", facts.subject.dataset, text, SINCE, _first(unkept), number)

    def _expected(self, held: Keys) -> dict[int, tuple[int, int]]:
        """The ranges in which every offset must be explained: from the log's start, or the first
        position that is kept where retention took the log's start away.
        """
        facts = self.facts
        expected = {}
        for part, (low, high) in facts.ranges.items():
            mine = held[within(held, {part: (low, high)})]
            first = positions_of(mine[:1])[0][1] if len(mine) else high
            begin = facts.log.begins.get(part, first)
            expected[part] = (max(low, min(first, begin)), high)
            if low < (start := min(first, begin)):
                self.notes.append(
                    f"{facts.subject.dataset}: partition {part} is judged from offset {start};"
                    " retention has taken what was before it from the topic"
                )
        return expected

    def _not_in_log(self, gaps: Gaps) -> tuple[Gaps, Gaps]:
        """The parts of gaps that the topic has no more, without what the table has expired: those
        of which the ledger says that nothing was there, and the others.

        A transaction ends each partition with a control record, which nobody acknowledges.
        """
        facts = self.facts
        silent: Gaps = {}
        found: Gaps = {}
        rows = Neighbours(facts)
        for part, intervals in gaps.items():
            begin = facts.log.begins.get(part, 0)
            for low, high in intervals:
                after = min(high, begin)
                if low >= after:
                    continue
                at = rows.time_from(part, after)
                if at is not None and at < facts.expired_before:
                    self._note_expired(after - low)
                elif (
                    rows.have_a_ledger(part, low, after)
                    and not within(facts.ledger.keys, {part: (low, after)}).any()
                ):
                    silent.setdefault(part, []).append((low, after))
                else:
                    found.setdefault(part, []).append((low, after))
        return silent, found

    def _where(self, lost: Keys) -> str:
        """What kind of gap it is: at the start, in the middle, at the end."""
        facts = self.facts
        ends = {
            part: (facts.log.begins.get(part, 0), high - 1)
            for part, (_, high) in facts.kept_ranges.items()
        }
        places = positions_of(lost)
        if any(at == ends[part][1] for part, at in places):
            return "are in no table though they are below the landed end: a gap at the end"
        if any(at == ends[part][0] for part, at in places):
            return "are in no table though the log has them: a gap at the start"
        return "are in no table though the log has them: a gap"

    def _explain(self, silent: Gaps) -> None:
        """List the control and the aborted offsets: no reader of committed records gets them."""
        facts = self.facts
        seen: list[Keys] = [EMPTY]
        for part, intervals in silent.items():
            around = (intervals[0][0], intervals[-1][1])
            for batch in self._log.records(facts.subject.topic, {part: around}, committed=False):
                keys = keys_of(batch["kafka_partition"], batch["kafka_offset"])
                seen.append(keys[~is_in(keys, facts.topic_keys)])
        facts.aborted = np.sort(np.concatenate(seen))
        if silent:
            number = sum(size(each) for each in silent.values())
            self.counts["aborted"] = len(facts.aborted)
            self.counts["control"] = number - len(facts.aborted)
            self.notes.append(
                f"{facts.subject.dataset}: offsets of control records and aborted transactions,"
                f" which are no records: {_listed(silent)}"
            )

    def _note_expired(self, number: int) -> None:
        if number:
            days = self.facts.retention_days
            self.notes.append(
                f"{self.facts.subject.dataset}: {number:,} positions are older than the {days} days"
                " that the raw table keeps; nothing is said of them"
            )


def _cut(gaps: Gaps, ranges: dict[int, tuple[int, int]]) -> Gaps:
    """The parts of the gaps that are in the ranges."""
    cut: Gaps = {}
    for part, intervals in gaps.items():
        low, high = ranges.get(part, (0, 0))
        parts = [(max(low, first), min(high, after)) for first, after in intervals]
        if kept := [each for each in parts if each[0] < each[1]]:
            cut[part] = kept
    return cut


def _listed(gaps: Gaps) -> str:
    shown = [
        f"{part}/{low}" if after == low + 1 else f"{part}/{low}-{after - 1}"
        for part, intervals in gaps.items()
        for low, after in intervals
    ]
    more = f" and {len(shown) - LISTED:,} more" if len(shown) > LISTED else ""
    return ", ".join(shown[:LISTED]) + more


def _first(gaps: Gaps) -> tuple[tuple[int, int], ...]:
    """The first positions of the gaps, at most as many as a finding keeps."""
    each = (
        (part, at)
        for part, intervals in gaps.items()
        for first in intervals
        for at in range(*first)
    )
    return tuple(islice(each, KEPT_POSITIONS))
