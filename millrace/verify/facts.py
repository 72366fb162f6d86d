"""All that the laws are judged by, of one subject, and the ranges of offsets they are judged in.

The order in which a live stream is looked at is what makes the comparison sound:

1. the ends of the topic, as they are when verification begins;
2. the raw table until it says that it has landed up to there, or until patience ends: what it says
   then fixes the ranges that are judged;
3. the quarantine table, which holds every bad record below those ends, because landing commits it
   first;
4. the raw table once more: it holds every replay that the quarantine table tells of;
5. the ledger: its intents are older than any record in a table.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from millrace.contracts import Contract
from millrace.verify.files import Damage
from millrace.verify.keys import EMPTY, Keys, Mask, Ranges, is_in, positions_of, within
from millrace.verify.ledger import LedgerView, TopicLedger
from millrace.verify.subject import Subject
from millrace.verify.tables import HELD_COLUMNS, Gatherer, Held, Landed, landed, load, scan
from millrace.verify.topic import Log, TopicState

POLL_S = 0.5
RETENTION_DAYS = "millrace.retention-days"
MICROS = 1_000_000
DAY_S = 86_400


@dataclass
class Facts:
    """One subject as it was found.

    Attributes:
        due: partition to the end of the topic when verification began.
        log: the topic after the tables were looked at.
        landed: how far the raw table, as it was read, says that it is landed.
        moved: the partitions of which that grew while they were looked at.
        ranges: partition to (first, after the last) offset that is judged.
        raw_table, quarantine_table: as they were read.
        raw, quarantine: their rows of the topic, those outside the ranges included.
        unread: files of either that could not be read.
        topic_keys, topic_at: committed records of the topic in the ranges, sorted, and their times.
        finished: replays that were finished while verification looked.
        aborted: records of aborted transactions, sorted.
        high: partition to the end of the log, as it was after the ledger was read.
    """

    subject: Subject
    contract: Contract
    due: Mapping[int, int]
    log: TopicState
    landed: Landed
    moved: frozenset[int]
    ranges: Ranges
    raw_table: Table
    quarantine_table: Table
    quarantine: Held
    unread: list[Damage] = field(default_factory=list)
    raw: Held = field(default_factory=Held)
    ledger: TopicLedger = field(default_factory=TopicLedger)
    began: Mapping[str, datetime | None] = field(default_factory=dict)
    topic_keys: Keys = field(default_factory=lambda: EMPTY)
    topic_at: Keys = field(default_factory=lambda: EMPTY)
    finished: Keys = field(default_factory=lambda: EMPTY)
    aborted: Keys = field(default_factory=lambda: EMPTY)
    high: Mapping[int, int] = field(default_factory=dict)

    @property
    def retention_days(self) -> int:
        """How many days the raw table keeps a row."""
        days = self.contract.retention_days
        return int(self.raw_table.properties.get(RETENTION_DAYS, days))

    @property
    def expired_before(self) -> int:
        """Rows older than this may be gone, in microseconds since the epoch: whole days (UTC)."""
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return int((midnight - timedelta(days=self.retention_days)).timestamp() * MICROS)

    def former(self, keys: Keys, at: Keys) -> Mask:
        """Which rows are older than `since` and not what the topic has at their position.

        Where a topic was created again its offsets begin anew, beside the old rows. A record may
        be older than the one before it, so the time alone does not tell.
        """
        since = self.subject.since
        if since is None:
            return np.zeros(len(keys), np.bool_)
        older: Mask = at < int(since.timestamp() * MICROS)
        there = is_in(keys, self.topic_keys)
        places = np.searchsorted(self.topic_keys, keys[there])
        there[there] = self.topic_at[places] == at[there]
        return older & ~there

    def scope(self, held: Held) -> Held:
        """The rows that are judged."""
        return held.where(within(held.keys, self.ranges))

    def tell(self, view: LedgerView, high: Mapping[int, int]) -> None:
        """Add what the ledger says, and the end of the log after that."""
        self.ledger = view.topic(self.subject.topic)
        self.began = view.began
        self.high = high

    @property
    def kept_ranges(self) -> dict[int, tuple[int, int]]:
        """The part of the ranges that the topic still has."""
        return {
            part: (max(low, self.log.begins.get(part, high)), min(high, self.log.ends.get(part, 0)))
            for part, (low, high) in self.ranges.items()
        }


def find(subject: Subject, contract: Contract, catalog: Catalog, log: Log, wait_s: float) -> Facts:
    """Fix the ranges, and read the quarantine; the raw rows are read by whoever passes over them.

    Raises:
        MillraceError: the topic or a table is not there, or a service does not answer.
    """
    due = log.state(subject.topic).ends
    first, known = _wait(lambda: load(catalog, subject.raw_table), subject.topic, due, wait_s)
    quarantine_table = load(catalog, subject.quarantine_table)
    unread: list[Damage] = []
    quarantine = read_quarantine(quarantine_table, subject, unread)
    table = load(catalog, subject.raw_table)
    now, state = landed(table, subject.topic), log.state(subject.topic)
    if not known.is_recorded:
        first = known = now = Landed(_ends_of_rows(table, subject, quarantine))
    starts = _starts(subject, log, known)
    ends = {part: known.ends.get(part, 0) for part in {*state.ends, *known.ends}}
    return Facts(
        subject=subject,
        contract=contract,
        due=due,
        log=state,
        landed=now,
        moved=frozenset(part for part, end in now.ends.items() if end > first.ends.get(part, 0)),
        ranges={part: (starts.get(part, 0), end) for part, end in sorted(ends.items())},
        raw_table=table,
        quarantine_table=quarantine_table,
        quarantine=quarantine,
        unread=unread,
    )


def _wait(
    read: Callable[[], Table], topic: str, due: Mapping[int, int], wait_s: float
) -> tuple[Landed, Landed]:
    """How far the table was landed at first, and when it had landed what the log had, or when
    patience ended.
    """
    deadline, first = time.monotonic() + wait_s, None
    while True:
        known = landed(read(), topic)
        first = first or known
        behind = any(known.ends.get(part, 0) < end for part, end in due.items())
        if not behind or time.monotonic() > deadline:
            return first, known
        time.sleep(POLL_S)


def read_quarantine(table: Table, subject: Subject, unread: list[Damage]) -> Held:
    """The quarantined records of the subject."""
    gatherer = Gatherer(subject.topic, with_states=True)
    for batch in scan(
        table, (*HELD_COLUMNS, "dataset", "status", "resolved_at"), subject.dataset, unread
    ):
        gatherer.add(batch)
    return gatherer.held()


def _ends_of_rows(table: Table, subject: Subject, quarantine: Held) -> dict[int, int]:
    """One past the greatest offset, where no snapshot says how far the table is landed."""
    gatherer = Gatherer(subject.topic)
    for batch in scan(table, HELD_COLUMNS):
        gatherer.add(batch)
    ends: dict[int, int] = {}
    for keys in (gatherer.held().keys, quarantine.keys):
        for partition, offset in positions_of(keys):
            ends[partition] = max(ends.get(partition, 0), offset + 1)
    return ends


def _starts(subject: Subject, log: Log, known: Landed) -> dict[int, int]:
    """Where judging starts: at 0, or at the first offset that is not before `since`."""
    if subject.since is None:
        return {}
    found = log.since(subject.topic, subject.since)
    return {part: min(at, known.ends.get(part, at)) for part, at in found.items()}
