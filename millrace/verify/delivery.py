"""L1: every record that the broker acknowledged is landed once, or quarantined once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import numpy as np

from millrace.verify.facts import DAY_S, MICROS, Facts
from millrace.verify.findings import LAND, OPEN, SINCE, STATUS, finding, how_to_go_back
from millrace.verify.keys import Keys, Mask, beyond, is_in, positions_of, repeated, within
from millrace.verify.report import Finding


class Delivery:
    """The law of delivery for one subject.

    Attributes:
        counts: what was counted on the way.
        notes: what was not judged.
    """

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.counts: dict[str, int] = {}
        self.notes: list[str] = []
        quarantine = facts.quarantine
        self._raw = np.unique(facts.raw.keys)
        self._states = {
            state: np.unique(quarantine.of_status(*names))
            for state, names in (
                ("open", OPEN),
                ("replayed", ("replayed",)),
                ("discarded", ("discarded",)),
            )
        }

    def findings(self) -> list[Finding]:
        """All that breaks L1."""
        facts = self.facts
        ledger = facts.ledger
        self._count()
        return [
            *self._without_ledger(),
            *self._told_twice(),
            *self._acknowledged(ledger.keys[within(ledger.keys, facts.ranges)]),
            *self._not_landed(ledger.keys[beyond(ledger.keys, facts.ranges)]),
            *self._in_both(),
        ]

    def _count(self) -> None:
        facts = self.facts
        scoped, quarantined = facts.scope(facts.raw), facts.scope(facts.quarantine)
        self.counts = {
            "acknowledged": len(facts.ledger.keys),
            "refused": facts.ledger.refused.total(),
            "unknown": facts.ledger.unknown.total(),
            "landed": len(scoped.keys),
            "quarantined": len(quarantined.keys),
            "of them replayed": len(quarantined.of_status("replayed")),
            "discarded": len(quarantined.of_status("discarded")),
            "lost": 0,
            "doubled": len(self._doubled()),
        }

    def _doubled(self) -> Keys:
        facts = self.facts
        twice = [repeated(facts.raw.keys), repeated(facts.quarantine.keys)]
        kept = np.union1d(self._states["open"], self._states["discarded"])
        keys: Keys = np.unique(np.concatenate([*twice, np.intersect1d(self._raw, kept)]))
        return keys[within(keys, facts.ranges)]

    def _without_ledger(self) -> Iterator[Finding]:
        """A pass without a ledger would prove nothing."""
        facts = self.facts
        begins = {part: low for part, (low, _) in facts.ranges.items()}
        holds = any(
            end > max(begins.get(part, 0), facts.log.begins.get(part, 0))
            for part, end in facts.log.ends.items()
        )
        holds = holds or bool(len(facts.scope(facts.raw).keys))
        if facts.subject.since is not None and not holds:
            self.notes.append(
                f"{facts.subject.dataset}: the topic holds no record since"
                f" {facts.subject.since:%Y-%m-%d %H:%M} UTC, so this proves nothing of it"
            )
        elif facts.ledger.is_empty and holds:
            folder = facts.subject.ledger
            text = f"the topic holds records, but the ledger in {folder} says nothing of it"
            yield finding(facts, "L1", text, f"ls -l {folder}  # restore the runs' files")

    def _told_twice(self) -> Iterator[Finding]:
        """The broker gives a position once; a topic that was created again gives it again."""
        twice = repeated(self.facts.ledger.keys)
        if len(twice):
            text = (
                "were acknowledged twice at one position: the topic was created again, or a run's"
                " file is there twice"
            )
            yield finding(self.facts, "L1", text, SINCE, twice)

    def _acknowledged(self, keys: Keys) -> Iterator[Finding]:
        """L1, below the landed ends."""
        facts, states = self.facts, self._states
        # A transaction that was aborted takes the broker's answer back.
        missing = keys[~is_in(keys, self._raw) & ~is_in(keys, facts.aborted)]
        replayed = missing[is_in(missing, states["replayed"])]
        kept = np.union1d(states["open"], states["discarded"])
        lost = missing[~is_in(missing, kept) & ~is_in(missing, states["replayed"])]
        expired, withdrawn = self._expired(lost), self._expired_replays(replayed)
        self._note_expired(int(expired.sum()) + int(withdrawn.sum()))
        lost, replayed = lost[~expired], replayed[~withdrawn]
        self.counts["lost"] += len(lost) + len(replayed)
        if len(lost):
            remedy = how_to_go_back(facts.subject.raw_table)
            yield finding(facts, "L1", "were acknowledged and are nowhere", remedy, lost)
        if len(replayed):
            text = "are marked as replayed and are not in the raw table"
            yield finding(facts, "L1", text, self._replay(replayed), replayed)
        twice = [("landed", facts.raw.keys), ("quarantined", facts.quarantine.keys)]
        for word, held in twice:
            if len(doubled := np.intersect1d(repeated(held), keys)):
                text = f"were acknowledged once and are {word} more than once"
                yield finding(facts, "L1", text, STATUS, doubled)

    def _not_landed(self, keys: Keys) -> Iterator[Finding]:
        """L1, at and after the landed ends: landing has not come there yet, or never will."""
        facts = self.facts
        gone = beyond(keys, {part: (0, end) for part, end in facts.high.items()})
        if gone.any():
            text = "were acknowledged beyond the end of the log: it was cut off or created again"
            yield finding(facts, "L1", text, STATUS, keys[gone])
        # Landing commits the quarantine first: what it has already is not missing.
        keys = keys[~gone & ~is_in(keys, np.unique(facts.quarantine.keys))]
        due = keys[within(keys, {part: (0, end) for part, end in facts.due.items()})]
        moving = {part: (0, end) for part, end in facts.due.items() if part in facts.moved}
        still = due[~within(due, moving)]
        self.counts["not landed yet"] = len(keys)
        self.counts["lost"] += int(gone.sum()) + len(still)
        if len(still):
            text = "were acknowledged and have not landed, and the landed end does not move"
            yield finding(facts, "L1", text, LAND, still)
        if more := len(keys) - len(still):
            self.notes.append(
                f"{facts.subject.dataset}: {more:,} acknowledged records have not landed yet;"
                " landing goes on"
            )

    def _in_both(self) -> Iterator[Finding]:
        """In raw and in quarantine at once."""
        facts = self.facts
        unfinished = np.intersect1d(self._raw, self._states["open"])
        unfinished = unfinished[~is_in(unfinished, facts.finished)]
        discarded = np.intersect1d(self._raw, self._states["discarded"])
        if len(unfinished):
            text = "are in the raw table and open in quarantine at once: an unfinished replay"
            yield finding(facts, "L1", text, self._replay(unfinished), unfinished)
        if len(discarded):
            text = "are discarded in quarantine and in the raw table"
            remedy = f"bin/millrace quarantine list --dataset {facts.subject.dataset}"
            yield finding(facts, "L1", text, remedy, discarded)

    def _replay(self, keys: Keys) -> str:
        """The command that finishes the replay of the first of them."""
        ((partition, offset),) = positions_of(keys[:1])
        return f"bin/millrace quarantine replay {self.facts.subject.topic}:{partition}:{offset}"

    def _expired(self, keys: Keys) -> Mask:
        """Which are older than the raw table keeps rows."""
        facts = self.facts
        if not len(keys):
            return np.zeros(0, np.bool_)
        ledger = facts.ledger
        order = np.argsort(ledger.keys, kind="stable")
        places = order[np.searchsorted(ledger.keys, keys, sorter=order)]
        # A ledger of an earlier version tells no times: then the run's, which may be too old.
        runs = [ledger.names[run] for run in ledger.runs[places]]
        began = np.array([_micros(facts.began.get(run)) for run in runs])
        at = np.where(ledger.at[places] > 0, ledger.at[places], began)
        known = is_in(keys, facts.topic_keys)
        at[known] = facts.topic_at[np.searchsorted(facts.topic_keys, keys[known])]
        older: Mask = at < facts.expired_before
        return older

    def _expired_replays(self, keys: Keys) -> Mask:
        """Which are older than that and were replayed as long ago: a raw row stays for both.

        The mark follows the landing, perhaps past midnight, where retention counts whole days.
        """
        quarantine = self.facts.quarantine
        newest = np.maximum(quarantine.at, quarantine.resolved - DAY_S * MICROS)
        older: Mask = is_in(keys, np.sort(quarantine.keys[newest < self.facts.expired_before]))
        return older

    def _note_expired(self, number: int) -> None:
        if number:
            self.counts["expired"] = number
            days = self.facts.retention_days
            self.notes.append(
                f"{self.facts.subject.dataset}: {number:,} acknowledged records are older than the"
                f" {days} days that the raw table keeps; nothing is said of them"
            )


def _micros(moment: datetime | None) -> int:
    """A run of unknown age is young: what is missing of it is a finding."""
    return np.iinfo(np.int64).max if moment is None else int(moment.timestamp() * MICROS)
