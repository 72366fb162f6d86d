"""Replayed records that a raw table no longer has: it was rolled back behind their replay.

A replay moves no offsets, so the offsets do not tell; quarantine does, where the row is marked. A
table can only be rolled back to a snapshot that it keeps, so older replays are not looked for.
What is at or above the landed ends needs no replay: landing comes to it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.catalog import Catalog
from pyiceberg.expressions import And, EqualTo, GreaterThanOrEqual
from pyiceberg.table import Table

from millrace.contracts.model import Contract
from millrace.contracts.names import MARK_KEY, REPLAY, REPLAYED, RETENTION_DAYS
from millrace.lake.offsets import (
    IDENTITY_COLUMNS,
    Identity,
    TopicOffsets,
    ancestors,
    identities_at,
    identity_columns,
)
from millrace.landing.errors import FileMissingError, ReplayRolledBackError
from millrace.landing.landed_table import LandedTable

#: By how much the clock of who marked a row may be behind that of who committed to raw.
CLOCKS_DIFFER = timedelta(hours=1)


def recent_replays(quarantine: Table, raw: Iterable[Table]) -> pa.Table | None:
    """The rows of the replays that a rollback of these raw tables may have undone.

    Quarantine has a file or more for each batch with bad records: it is not read where its
    snapshots tell that there was no replay.

    Returns:
        None where there was no replay since the oldest snapshot of the raw tables.

    Raises:
        FileMissingError: a file of quarantine is not there.
    """
    oldest = [since for table in raw if (since := _oldest(table)) is not None]
    if not oldest or not _may_have_replay_since(quarantine, min(oldest)):
        return None
    wanted = And(
        EqualTo(term="status", value=REPLAYED),
        GreaterThanOrEqual(term="resolved_at", value=min(oldest).isoformat()),
    )
    columns = ("kafka_topic", "resolved_at", *IDENTITY_COLUMNS)
    with _naming_files(quarantine):
        return quarantine.scan(row_filter=wanted, selected_fields=columns).to_arrow()


def _may_have_replay_since(quarantine: Table, since: datetime) -> bool:
    """Whether there is a snapshot of a replay, or may have been one that has expired."""
    since_ms = since.timestamp() * 1000
    oldest = None
    for oldest in ancestors(quarantine):
        if oldest.summary and oldest.summary.get(MARK_KEY) == REPLAY:
            return True
        if oldest.timestamp_ms < since_ms:
            return False
    # An expiry by PyIceberg leaves no parent's id, so the number of the commit tells the first.
    return oldest is not None and oldest.sequence_number != 1


@contextmanager
def _naming_files(table: Table) -> Iterator[None]:
    """Name the table of which a file is missing."""
    try:
        yield
    except FileNotFoundError as error:
        raise FileMissingError(".".join(table.name()), str(error)) from error


def require_replayed(
    catalog: Catalog, contract: Contract, quarantine: LandedTable, replays: pa.Table | None
) -> None:
    """Make sure that the raw table has what was replayed into it.

    The raw table is loaded here, after quarantine was read: a replay lands first and marks second,
    so one that goes on meanwhile does not look rolled back.

    Args:
        replays: what `recent_replays` found.

    Raises:
        ReplayRolledBackError: it has not.
        TableMissingError: there is no such table.
        FileMissingError: a file of either table is not there.
    """
    if replays is None:
        return
    mine = replays.filter(pc.field("kafka_topic") == contract.topic)
    if not mine.num_rows:
        return
    raw = LandedTable(catalog, contract.raw_table)
    raw.load()
    due = _due(mine, contract, raw, quarantine)
    # Where either table has a later record, the topic was created again: no replay lands there.
    there = _latest(raw.table, contract.topic, due)
    missing = {each for each in due if there.get(each[:2], -1) < each[2]}
    beside = _latest(quarantine.table, contract.topic, missing)
    if lost := sorted(each[:2] for each in missing if beside.get(each[:2], -1) <= each[2]):
        raise ReplayRolledBackError(contract.dataset, contract.topic, contract.raw_table, lost)


def _due(
    replays: pa.Table, contract: Contract, raw: LandedTable, quarantine: LandedTable
) -> set[Identity]:
    """Those of the replayed records that the raw table has to have."""
    since = _oldest(raw.table)
    if since is None:
        return set()
    # Retention deletes what is older, by whole days (UTC).
    days = int(raw.table.properties.get(RETENTION_DAYS, contract.retention_days))
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    kept = pc.field("kafka_at") >= midnight - timedelta(days=days)
    chosen = replays.filter(kept & (pc.field("resolved_at") >= since))
    found = zip(*(each.to_pylist() for each in identity_columns(chosen)), strict=True)
    landed = raw.offsets.get(contract.topic, TopicOffsets())
    known = quarantine.offsets.get(contract.topic, TopicOffsets())
    # What lies beyond quarantine's ends as well is of a topic that is gone.
    quarantined = known.ends if known.topic_id == landed.topic_id else landed.ends
    return {
        (part, offset, at)
        for part, offset, at in found
        if offset < min(landed.ends.get(part, 0), quarantined.get(part, 0))
    }


def _latest(table: Table, topic: str, records: set[Identity]) -> dict[tuple[int, int], int]:
    """The time of the latest row at the positions of these records."""
    if not records:
        return {}
    with _naming_files(table):
        found = identities_at(table, topic, {each[:2] for each in records})
    return {(part, offset): at for part, offset, at in sorted(found)}


def _oldest(table: Table) -> datetime | None:
    """An hour before the oldest kept snapshot; None where there is none."""
    times_ms = [each.timestamp_ms for each in table.snapshots()]
    if not times_ms:
        return None
    return datetime.fromtimestamp(min(times_ms) / 1000, UTC) - CLOCKS_DIFFER
