"""One subject after the other: read everything once, then hold it to the laws."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from millrace.contracts import Contract
from millrace.verify import files as files_of
from millrace.verify.checksum import IDENTITY, QUARANTINED, Asked, Engine, Sum, is_comparable
from millrace.verify.content import Content
from millrace.verify.decode import SchemaText
from millrace.verify.delivery import Delivery
from millrace.verify.engines import compare
from millrace.verify.errors import PointerError
from millrace.verify.facts import Facts, find, read_quarantine
from millrace.verify.files import Damage, Files, described
from millrace.verify.findings import OPEN, STATUS, how_to_go_back
from millrace.verify.keys import Keys, is_in
from millrace.verify.ledger import read
from millrace.verify.order import Order
from millrace.verify.report import Check, Finding
from millrace.verify.spool import Spool
from millrace.verify.subject import Subject
from millrace.verify.tables import Gatherer, load, names_at_snapshot, scan
from millrace.verify.topic import Log
from millrace.verify.untold import Untold

#: Damaged files that a finding names.
NAMED_FILES = 20


@dataclass
class Sources:
    """Where everything is read.

    Attributes:
        schemas: gives the registry's schemas.
        collect: brings the ledger to its folder, where producers write elsewhere.
    """

    catalog: Catalog
    log: Log
    schemas: SchemaText = lambda schema_id: None
    collect: Callable[[], None] = lambda: None


@dataclass
class Judging:
    """The report while it grows; see `Report` for the attributes.

    Attributes:
        work: a folder for what is read of the topics.
        say: told what is being done.
    """

    sources: Sources
    wait_s: float
    work: Path
    say: Callable[[str], None]
    findings: list[Finding] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    snapshots: dict[str, int | None] = field(default_factory=dict)
    ends: dict[str, dict[int, int]] = field(default_factory=dict)
    checked: dict[str, Files] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def judge(self, subjects: Iterable[tuple[Subject, Contract]]) -> None:
        """Judge the subjects by all laws but L6."""
        seen = [found for each in subjects if (found := self._look(*each)) is not None]
        with self._timed("read the ledger"):
            # After every table: a row's intent is older than the row.
            self.sources.collect()
            asked = {(facts.subject.ledger, facts.subject.since) for facts, _ in seen}
            views = {each: read(*each) for each in asked}
        for facts, content in seen:
            subject = facts.subject
            high = self.sources.log.state(subject.topic).high
            facts.tell(views[subject.ledger, subject.since], high)
            self._hold(facts, content)
            self._hold_files(facts)

    def _look(self, subject: Subject, contract: Contract) -> tuple[Facts, Content] | None:
        """Read topic and tables of a subject; None where nothing of its table can be seen."""
        try:
            with self._timed(f"{subject.dataset}: find the ends"):
                facts = find(subject, contract, self.sources.catalog, self.sources.log, self.wait_s)
        except PointerError as error:
            text = f"{error.thing}: {error.cause}"
            self.findings.append(Finding("L7", subject.dataset, text, STATUS))
            return None
        self._remember(facts)
        return facts, self._read(facts)

    def _read(self, facts: Facts) -> Content:
        """Read the topic, then the raw table and the quarantine beside it."""
        subject = facts.subject
        with self._timed(f"{subject.dataset}: read the topic"):
            batches = self.sources.log.records(subject.topic, facts.kept_ranges)
            spool = Spool(self.work / f"{len(self.ends)}.arrow", batches)
            facts.topic_keys, facts.topic_at = spool.keys, spool.at
            held = facts.quarantine
            facts.quarantine = held.where(~facts.former(held.keys, held.at))
        content = Content(facts, spool, self.sources.schemas)
        with self._law("L5", subject.dataset, "rows") as count:
            self.say(f"{subject.dataset}: decode and compare the raw table")
            gatherer, raw = Gatherer(subject.topic, facts.former), self._sum(facts)
            for batch in scan(facts.raw_table, unread=facts.unread):
                raw.add(batch)
                content.add(gatherer.add(batch))
            facts.raw = gatherer.held()
            gatherer = Gatherer(subject.topic, facts.former)
            quarantined = self._sum(facts, of_quarantine=True)
            mine = scan(facts.quarantine_table, dataset=subject.dataset, unread=facts.unread)
            for batch in mine:
                quarantined.add(batch)
                content.add_quarantined(gatherer.add(batch))
            count(content.compared)
        spool.remove()
        facts.finished = self._finished(facts)
        return content

    def _sum(self, facts: Facts, *, of_quarantine: bool = False) -> Sum:
        """The sum of a table's rows; the engines are asked for the same."""
        dataset = facts.subject.dataset
        own = [each for each in facts.contract.fields if is_comparable(each)]
        table, fields = facts.raw_table, [*IDENTITY, *own]
        if of_quarantine:
            table, fields = facts.quarantine_table, [*IDENTITY, *QUARANTINED]
        names = names_at_snapshot(table)
        # A column that the table lacks is L5's to name.
        fields = [each for each in fields if each.name in names]
        asked = Asked(
            dataset,
            ".".join(table.name()),
            table.metadata.current_snapshot_id,
            Sum(fields),
            dataset if of_quarantine else "",
            names,
        )
        self.asked.append(asked)
        return asked.sum

    def compare(self, engines: Mapping[str, Engine]) -> None:
        """Hold what each engine says to what was read (L6)."""
        for name, engine in engines.items():
            with self._law("L6", name, "rows") as count:
                self.say(f"count and checksum by {name}")
                self.findings += compare(self.asked, name, engine)
                count(sum(each.sum.count for each in self.asked))

    def _finished(self, facts: Facts) -> Keys:
        """Replays that were between their two commits when the tables were looked at."""
        opened = np.unique(facts.quarantine.of_status(*OPEN))
        suspects: Keys = np.intersect1d(facts.raw.keys, opened)
        if not len(suspects):
            return suspects
        table = load(self.sources.catalog, facts.subject.quarantine_table)
        if (
            table.metadata.current_snapshot_id
            == facts.quarantine_table.metadata.current_snapshot_id
        ):
            return suspects[:0]
        now = read_quarantine(table, facts.subject, [])
        return suspects[is_in(suspects, now.of_status("replayed"))]

    def _hold(self, facts: Facts, content: Content) -> None:
        """Hold what was read to L1 to L5."""
        name = facts.subject.dataset
        order, delivery, untold = Order(facts, self.sources.log), Delivery(facts), Untold(facts)
        with self._law("L4", name, "positions") as count:
            self.findings += order.findings()
            count(sum(high - low for low, high in facts.ranges.values()))
        with self._law("L1", name, "acknowledged") as count:
            self.findings += delivery.findings()
            count(len(facts.ledger.keys))
        with self._law("L2", name, "refused") as count:
            self.findings += untold.findings()
            count(facts.ledger.refused.total())
        with self._law("L3", name, "unknown") as count:
            count(facts.ledger.unknown.total())
        self.findings += content.findings()
        self.counts[name] = {
            **delivery.counts,
            **untold.counts,
            **order.counts,
            "corrected": content.corrected,
            "not in the topic": content.without_topic,
        }
        self.notes += [*delivery.notes, *untold.notes, *order.notes, *content.notes()]

    def _hold_files(self, facts: Facts) -> None:
        """Hold both tables to L7; the quarantine once for all subjects."""
        subject = facts.subject
        for dataset, table in (
            (subject.dataset, facts.raw_table),
            ("quarantine", facts.quarantine_table),
        ):
            name = ".".join(table.name())
            if name not in self.checked:
                with self._law("L7", dataset, "files") as count:
                    self.say(f"{dataset}: check every file")
                    again: Callable[[], Table] = partial(load, self.sources.catalog, name)
                    self.checked[name] = files_of.check(table, again)
                    count(self.checked[name].number)
                self._found(dataset, name, self.checked[name].damages)
        known = {damage.path for each in self.checked.values() for damage in each.damages}
        tables = {subject.raw_table, subject.quarantine_table}
        more = {each.path: each for each in facts.unread if each.path not in known}
        if any(files.damages for files in self.checked.values()):
            more = {path: each for path, each in more.items() if path not in tables}
        self._found(subject.dataset, subject.raw_table, list(more.values()))

    def _found(self, dataset: str, table: str, damages: list[Damage]) -> None:
        if damages:
            text = f"{len(damages):,} damaged: " + "; ".join(described(damages[:NAMED_FILES]))
            self.findings.append(Finding("L7", dataset, text, how_to_go_back(table)))

    def _remember(self, facts: Facts) -> None:
        for table in (facts.raw_table, facts.quarantine_table):
            snapshot = table.metadata.current_snapshot_id
            self.snapshots[".".join(table.name())] = snapshot
        self.ends[facts.subject.topic] = {part: end for part, (_, end) in facts.ranges.items()}

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        self.say(what)
        started = time.monotonic()
        yield
        self.seconds[what] = round(time.monotonic() - started, 3)

    @contextmanager
    def _law(self, law: str, dataset: str, unit: str) -> Iterator[Callable[[int], None]]:
        """Time a law; gives the function that is told how much was judged."""
        started, numbers = time.monotonic(), [0]
        yield numbers.append
        seconds = round(time.monotonic() - started, 3)
        self.checks.append(Check(law, dataset, numbers[-1], unit, seconds))
