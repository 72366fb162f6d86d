"""Replay: records of quarantine are judged again, and those that are good now land in raw.

Raw first, the mark on the row second. A replay that is cut off between the two has landed its
records; the next one finds them in raw and only marks. A record that still is bad stays open, with
the reason that it has now.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pyiceberg.catalog import Catalog

from millrace.contracts import Contract, find
from millrace.contracts.names import OPEN, REPLAY, REPLAYED
from millrace.landing.applied import require_applied
from millrace.landing.reasons import Rejected
from millrace.landing.schemas import SchemaSource
from millrace.quarantine.errors import NotQuarantinedError
from millrace.quarantine.marks import Mark, mark
from millrace.quarantine.records import (
    Key,
    Position,
    QuarantinedRecord,
    Selection,
    load_quarantine,
    read,
)
from millrace.quarantine.return_to_raw import Candidate, Outcome, return_to_raw

Tell = Callable[[str], None]


@dataclass
class Replayed:
    """What became of the records of one dataset.

    Attributes:
        landed: in raw now.
        present: were in raw already, and are marked now.
        bad: reason to how many still are bad.
        waiting: their batch is not committed to raw yet.
        taken: of a topic that is gone: their position is another record's.
    """

    landed: int = 0
    present: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    waiting: list[Position] = field(default_factory=list)
    taken: list[Position] = field(default_factory=list)


class Replay:
    """Replays what is selected, dataset by dataset, some thousand records at a time."""

    def __init__(
        self, catalog: Catalog, contracts: Mapping[str, Contract], schemas: SchemaSource
    ) -> None:
        self._catalog = catalog
        self._contracts = contracts
        self._schemas = schemas
        self._done: dict[str, Replayed] = {}

    def run(self, selection: Selection, tell: Tell) -> dict[str, Replayed]:
        """Replay the selected records as they were sent.

        Raises:
            NotQuarantinedError: a position that was asked for is not there.
            UnknownDatasetError, TableMissingError: a contract is not there, or not applied.
        """
        named = set(selection.positions)
        if named:
            self._require(selection)
        for records in read(load_quarantine(self._catalog), selection):
            for dataset in dict.fromkeys(each.dataset for each in records):
                mine = [each for each in records if each.dataset == dataset]
                tell(f"{dataset}: looking at {len(mine)} records")
                self._replay(dataset, [Candidate(each, each.value) for each in mine])
        return self._done

    def one(self, record: QuarantinedRecord, corrected: bytes) -> Replayed | Rejected:
        """Replay one record with another value; a value that is bad changes nothing."""
        contract = self._applied(record.dataset)
        outcome = return_to_raw(
            self._catalog, contract, [Candidate(record, corrected)], self._schemas
        )
        if outcome.bad:
            return outcome.bad[record.identity]
        self._settle(record.dataset, [record], outcome)
        return self._done[record.dataset]

    def _require(self, selection: Selection) -> None:
        table = load_quarantine(self._catalog)
        chosen = Selection(positions=selection.positions)
        there = {each.position for part in read(table, chosen, with_bytes=False) for each in part}
        for position in selection.positions:
            if position not in there:
                raise NotQuarantinedError(position)

    def _applied(self, dataset: str) -> Contract:
        contract = find(dataset, self._contracts)
        require_applied(self._catalog, [contract])
        return contract

    def _replay(self, dataset: str, candidates: Sequence[Candidate]) -> None:
        contract = self._applied(dataset)
        for portion in _each_position_once(candidates):
            outcome = return_to_raw(self._catalog, contract, portion, self._schemas)
            self._settle(dataset, [each.record for each in portion], outcome)

    def _settle(self, dataset: str, records: Iterable[QuarantinedRecord], outcome: Outcome) -> None:
        """Mark the rows as their records fared."""
        mark(self._catalog, marks_of(records, outcome, datetime.now(UTC)), REPLAY)
        done = self._done.setdefault(dataset, Replayed())
        done.landed += len(outcome.landed)
        done.present += len(outcome.present)
        done.bad.update(str(each.reason) for each in outcome.bad.values())
        done.waiting += outcome.waiting
        done.taken += outcome.taken


def marks_of(
    records: Iterable[QuarantinedRecord], outcome: Outcome, now: datetime
) -> dict[Key, Mark]:
    """What is to be written on the rows of these records."""
    marks: dict[Key, Mark] = {}
    for record in records:
        key = record.identity
        if key in outcome.landed:
            # Also on a row that said so before: raw had been rolled back behind it.
            marks[key] = Mark(_settled(record, outcome.landed[key], now))
        elif key in outcome.present:
            values = _settled(record, outcome.present[key], now)
            marks[key] = Mark(values, unless=frozenset({REPLAYED}))
        elif key in outcome.bad:
            marks[key] = _still_bad(record, outcome.bad[key])
    return marks


def _settled(record: QuarantinedRecord, sha256: str | None, now: datetime) -> dict[str, Any]:
    as_sent = sha256 == record.value_sha256
    return {
        "status": REPLAYED,
        "resolved_at": now,
        "resolution": "replayed as sent" if as_sent else "replayed with a corrected value",
        "replayed_sha256": sha256,
    }


def _still_bad(record: QuarantinedRecord, verdict: Rejected) -> Mark:
    values: dict[str, Any] = {
        "reason": str(verdict.reason),
        "detail": verdict.detail,
        "field": verdict.field,
        "schema_id": verdict.schema_id,
    }
    if record.status != REPLAYED:
        return Mark(values, unless=frozenset({REPLAYED}))
    # Raw was rolled back, and the contract has become stricter since.
    unsettled = {"status": OPEN, "resolved_at": None, "resolution": None, "replayed_sha256": None}
    return Mark({**values, **unsettled})


def _each_position_once(candidates: Sequence[Candidate]) -> Iterable[list[Candidate]]:
    """The candidates in portions; the further ones of a position come in later portions."""
    left = list(candidates)
    while left:
        portion = {each.record.position: each for each in reversed(left)}
        yield list(portion.values())
        chosen = {id(each) for each in portion.values()}
        left = [
            each
            for each in left
            if id(each) not in chosen
            and each.record.identity != portion[each.record.position].record.identity
        ]
