"""Verification of several subjects, one after the other, and the report of all."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from pyiceberg.catalog import Catalog

import millrace
from millrace.contracts import Contract, find, load_contracts
from millrace.settings import Settings
from millrace.verify import facts as facts_of
from millrace.verify.delivery import Delivery
from millrace.verify.facts import Facts
from millrace.verify.ledger import LedgerView, read
from millrace.verify.order import Order
from millrace.verify.report import Check, Finding, Report
from millrace.verify.spool import Spool
from millrace.verify.stores import open_catalog
from millrace.verify.subject import Subject
from millrace.verify.tables import HELD_COLUMNS, Gatherer, scan
from millrace.verify.topic import KafkaLog, Log
from millrace.verify.untold import Untold

ENGINES = ("pyiceberg", "trino", "spark")
#: How long landing may take for what was acknowledged before verification began: some batches.
WAIT_S = 30.0
_LIBRARIES = ("avro", "confluent-kafka", "pyarrow", "pyiceberg")


@dataclass
class Sources:
    """Where everything is read.

    Attributes:
        collect: brings the ledger to its folder, where producers write elsewhere.
    """

    catalog: Catalog
    log: Log
    collect: Callable[[], None] = lambda: None


@dataclass
class _Verifying:
    """The report while it grows."""

    settings: Settings
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
    ledgers: dict[tuple[Path, datetime | None], LedgerView] = field(default_factory=dict)

    def verify(self, subject: Subject, contract: Contract) -> None:
        """Judge one subject by every law."""
        name = subject.dataset
        with self._timed(f"{name}: find the ends"):
            facts = facts_of.find(
                subject, contract, self.sources.catalog, self.sources.log, self.wait_s
            )
        self._remember(facts)
        with self._timed(f"{name}: read the topic"):
            batches = self.sources.log.records(subject.topic, facts.kept_ranges)
            spool = Spool(self.work / f"{len(self.ends)}.arrow", batches)
            facts.topic_keys, facts.topic_at = spool.keys, spool.at
        with self._timed(f"{name}: read the raw table"):
            gatherer = Gatherer(subject.topic)
            for batch in scan(facts.raw_table, HELD_COLUMNS):
                gatherer.add(batch)
            facts.raw = gatherer.held()
        with self._timed(f"{name}: read the ledger"):
            self.sources.collect()
            view = read(subject.ledger, subject.since)
            facts.tell(view, self.sources.log.state(subject.topic).high)
        self._judge(facts)

    def _judge(self, facts: Facts) -> None:
        name = facts.subject.dataset
        order, delivery, untold = Order(facts, self.sources.log), Delivery(facts), Untold(facts)
        covered = sum(high - low for low, high in facts.ranges.values())
        with self._law("L4", name, covered, "positions"):
            self.findings += order.findings()
        with self._law("L1", name, len(facts.ledger.keys), "acknowledged"):
            self.findings += delivery.findings()
        unsure = facts.ledger.refused.total(), facts.ledger.unknown.total()
        with self._law("L2", name, unsure[0], "refused"):
            self.findings += untold.findings()
        self.checks.append(Check("L3", name, unsure[1], "unknown", 0.0))
        self.counts[name] = {**delivery.counts, **untold.counts, **order.counts}
        self.notes += [*delivery.notes, *untold.notes, *order.notes]

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
    def _law(self, law: str, dataset: str, number: int, unit: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        seconds = round(time.monotonic() - started, 3)
        self.checks.append(Check(law, dataset, number, unit, seconds))


def verify(
    subjects: Sequence[Subject],
    settings: Settings,
    engines: Sequence[str] = ENGINES,
    *,
    wait_s: float = WAIT_S,
    sources: Sources | None = None,
    contracts: Mapping[str, Contract] | None = None,
    say: Callable[[str], None] = lambda what: None,
) -> Report:
    """Judge the subjects by the seven laws.

    Args:
        engines: whose counts and checksums are compared (L6); `pyiceberg` is always one of them.
        wait_s: how long landing may take for what the topic held in the beginning. What has not
            landed by then is a finding, unless the landed end moved meanwhile; with 0 nothing is
            waited for and everything that has not landed is a finding.
        sources: where everything is read; by default what the settings name.
        contracts: by dataset; by default those of the settings.
        say: told what is being done.

    Raises:
        MillraceError: something could not be judged: a service that does not answer, a table that
            is not there, a ledger that can not be read.
    """
    started, began = time.monotonic(), datetime.now(UTC)
    sources = sources or Sources(open_catalog(settings), KafkaLog(settings.kafka.address))
    contracts = contracts or load_contracts(settings.contracts)
    with tempfile.TemporaryDirectory(prefix="millrace-verify-") as work:
        state = _Verifying(settings, sources, wait_s, Path(work), say)
        for subject in subjects:
            state.verify(subject, find(subject.dataset, contracts))
    state.seconds["all"] = round(time.monotonic() - started, 3)
    return Report(
        findings=tuple(sorted(state.findings, key=lambda each: (each.law, each.dataset))),
        counts=state.counts,
        durations_s=state.seconds,
        versions=_versions(),
        seed=_seed(settings),
        checks=tuple(state.checks),
        notes=tuple(dict.fromkeys(state.notes)),
        snapshots=state.snapshots,
        ends=state.ends,
        started_at=began.isoformat(timespec="seconds"),
    )


def _versions() -> dict[str, str]:
    return {"millrace": millrace.__version__} | {name: version(name) for name in _LIBRARIES}


def _seed(settings: Settings) -> int | None:
    """The seed of the generated sample, where there is one."""
    try:
        seed: int = json.loads((settings.sample / "manifest.json").read_text())["seed"]
    except (OSError, ValueError, KeyError):
        return None
    return seed
