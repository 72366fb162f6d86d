"""Discard: a person says that a record will never land. It stays in quarantine for good.

What is discarded is no longer replayed unless it is named, nor published as a dead letter. The
law counts it as quarantined.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from pyiceberg.catalog import Catalog

from millrace.contracts import Contract
from millrace.contracts.names import DISCARD, DISCARDED, REPLAYED
from millrace.quarantine.errors import InRawError, NotQuarantinedError
from millrace.quarantine.marks import Mark, mark
from millrace.quarantine.records import (
    Position,
    QuarantinedRecord,
    Selection,
    load_quarantine,
    load_raw,
    read,
)
from millrace.quarantine.search import find_records


def discard(
    catalog: Catalog, contracts: Mapping[str, Contract], selection: Selection, reason: str
) -> int:
    """Mark the selected open records as discarded; returns how many there are.

    A named position may have several, of topics that are gone: then all but the latest is marked.
    A replay at the same moment wins: a record that it lands is marked replayed afterwards.

    Raises:
        NotQuarantinedError: a position that was asked for is not in quarantine.
        InRawError: a record is in raw already.
    """
    chosen = [
        record
        for records in read(load_quarantine(catalog), selection, with_bytes=False)
        for record in records
    ]
    missing = set(selection.positions) - {record.position for record in chosen}
    if missing:
        raise NotQuarantinedError(min(missing), "it is not in quarantine, or not open any more")
    if selection.positions:
        chosen = _but_the_latest(chosen)
    landed = _in_raw(catalog, contracts, chosen)
    if landed:
        raise InRawError(landed)
    values = {"status": DISCARDED, "resolved_at": datetime.now(UTC), "resolution": reason}
    settled = frozenset({DISCARDED, REPLAYED})
    marks = {record.identity: Mark(values, unless=settled) for record in chosen}
    return mark(catalog, marks, DISCARD)


def _but_the_latest(records: list[QuarantinedRecord]) -> list[QuarantinedRecord]:
    """Of several records at one position those that are older than the latest."""
    first: dict[Position, datetime] = {}
    last: dict[Position, datetime] = {}
    for each in records:
        first[each.position] = min(each.at, first.get(each.position, each.at))
        last[each.position] = max(each.at, last.get(each.position, each.at))
    return [
        each
        for each in records
        if each.at < last[each.position] or first[each.position] == last[each.position]
    ]


def _in_raw(
    catalog: Catalog, contracts: Mapping[str, Contract], records: list[QuarantinedRecord]
) -> list[Position]:
    """Those of the records that raw has."""
    found = []
    for dataset in {record.dataset for record in records} & set(contracts):
        mine = [record for record in records if record.dataset == dataset]
        table = load_raw(catalog, contracts[dataset])
        there = find_records(table, [record.position for record in mine])
        found += [each.position for each in mine if each.at in there.get(each.position, {})]
    return sorted(found)
