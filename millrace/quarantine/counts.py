"""How much of each stream is bad: counts by class, and the share that a contract bears."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from heapq import nlargest

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.expressions import And, EqualTo, GreaterThanOrEqual
from pyiceberg.table import Table

from millrace.contracts import Contract
from millrace.contracts.names import OPEN
from millrace.quarantine.errors import TurnedBadError
from millrace.quarantine.records import (
    QuarantinedRecord,
    Selection,
    load_quarantine,
    load_raw,
    read,
)

PERCENT = 100


@dataclass(frozen=True)
class ClassCount:
    """Rows of one dataset, reason and state."""

    dataset: str
    reason: str
    status: str
    records: int
    newest: datetime


@dataclass(frozen=True)
class Share:
    """How much of what came in of one dataset is bad.

    Attributes:
        landed: rows that landing put into raw.
        bad: rows that it put into quarantine and that are still open.
        most_percent: what the contract bears.
    """

    dataset: str
    landed: int
    bad: int
    most_percent: float

    @property
    def percent(self) -> float:
        """Bad ones of all, in percent."""
        total = self.landed + self.bad
        return PERCENT * self.bad / total if total else 0.0

    def __str__(self) -> str:
        return (
            f"{self.dataset}: {self.bad} of {self.landed + self.bad} records are bad"
            f" ({self.percent:.1f} %, at most {self.most_percent:g} %)"
        )


def count_classes(catalog: Catalog, selection: Selection) -> list[ClassCount]:
    """The selected rows by dataset, reason and state, the most frequent class first."""
    names = ("dataset", "reason", "status", "quarantined_at")
    scan = load_quarantine(catalog).scan(selection.filter(), selected_fields=names)
    counts: Counter[tuple[str, str, str]] = Counter()
    newest: dict[tuple[str, str, str], datetime] = {}
    for batch in scan.to_arrow_batch_reader():
        grouped = pa.Table.from_batches([batch]).group_by(list(names[:3]))
        for row in grouped.aggregate([("quarantined_at", "max"), ("reason", "count")]).to_pylist():
            key = (row["dataset"], row["reason"], row["status"])
            counts[key] += row["reason_count"]
            newest[key] = max(newest.get(key, row["quarantined_at_max"]), row["quarantined_at_max"])
    ordered = sorted(counts, key=lambda key: (key[0], -counts[key], key))
    return [ClassCount(*key, counts[key], newest[key]) for key in ordered]


def newest(catalog: Catalog, selection: Selection, limit: int) -> list[QuarantinedRecord]:
    """The selected records that were quarantined last, without their bytes."""
    found: list[QuarantinedRecord] = []
    for records in read(load_quarantine(catalog), selection, with_bytes=False):
        found = nlargest(limit, found + records, key=lambda each: each.quarantined_at)
    return found


def shares(
    catalog: Catalog,
    contracts: Iterable[Contract],
    since: datetime,
    most_percent: float | None = None,
) -> list[Share]:
    """The share of each contract's stream that turned out bad since then, and is not settled.

    Args:
        most_percent: instead of what each contract bears.
    """
    quarantine = load_quarantine(catalog)
    moment = since.isoformat()
    result = []
    for contract in contracts:
        raw = load_raw(catalog, contract)
        landed = _count(raw, GreaterThanOrEqual(term="landed_at", value=moment))
        refused = And(
            EqualTo(term="dataset", value=contract.dataset),
            EqualTo(term="status", value=OPEN),
            GreaterThanOrEqual(term="quarantined_at", value=moment),
        )
        bad = _count(quarantine, refused)
        most = contract.max_bad_percent if most_percent is None else most_percent
        result.append(Share(contract.dataset, landed, bad, most))
    return result


def refuse_bad(found: Iterable[Share], at_least: int) -> None:
    """Fail where a stream has turned bad.

    Args:
        at_least: fewer bad records than these are no verdict on a stream.

    Raises:
        TurnedBadError: with every such stream.
    """
    bad = [each for each in found if each.bad >= at_least and each.percent > each.most_percent]
    if bad:
        raise TurnedBadError([str(each) for each in bad])


def _count(table: Table, condition: GreaterThanOrEqual | And) -> int:
    if table.current_snapshot() is None:
        return 0
    return table.scan(condition, selected_fields=("kafka_offset",)).count()
