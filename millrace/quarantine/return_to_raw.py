"""Records of quarantine into their raw table: exactly once, whatever happens.

The positions are looked for in raw on the very snapshot that the append swaps against. Whoever
else landed them, an earlier try that was killed or another replay at the same time, either is
seen or refuses the append, which then looks again. The records go through landing's own decoder,
validator and writer.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from millrace.contracts.model import Contract
from millrace.contracts.names import DISCARDED, REPLAYED
from millrace.lake.commit import CommitRefusedError, commit_append, delete_quietly
from millrace.lake.offsets import SUMMARY_KEY, TopicOffsets, recorded, recorded_text
from millrace.landing.reasons import Rejected
from millrace.landing.rows import Sifted
from millrace.landing.schemas import SchemaSource
from millrace.landing.sift import RECORD_SCHEMA, Landing, LandingJob
from millrace.landing.writer import WrittenFile, without_history
from millrace.quarantine.errors import BusyError
from millrace.quarantine.gone import of_gone_topics
from millrace.quarantine.records import (
    Key,
    Position,
    QuarantinedRecord,
    load_quarantine,
    load_raw,
)
from millrace.quarantine.search import find_records

log = logging.getLogger(__name__)

REPLAYED_KEY = "millrace.replayed"
#: Landing commits every two seconds at most; looking and committing take about one.
PATIENCE_S = 120.0
PAUSE_S = 0.1


@dataclass(frozen=True)
class Candidate:
    """A record, and the bytes that are to land: as sent, or corrected."""

    record: QuarantinedRecord
    value: bytes | None


@dataclass
class Outcome:
    """What became of the candidates.

    Attributes:
        landed: landed now, with the SHA-256 of their bytes.
        present: found in raw, with the SHA-256 of the bytes there.
        bad: refused by the contract as it is now.
        waiting: beyond what raw is landed up to: landing has yet to finish their batch.
        taken: open, and of a topic that is gone: their position is another record's.
    """

    landed: dict[Key, str | None] = field(default_factory=dict)
    present: dict[Key, str | None] = field(default_factory=dict)
    bad: dict[Key, Rejected] = field(default_factory=dict)
    waiting: list[Position] = field(default_factory=list)
    taken: list[Position] = field(default_factory=list)


class _SecondLook(Landing):
    """Landing whose bad records stay in quarantine, where they are."""

    def __init__(self, job: LandingJob, schemas: SchemaSource, table: Table) -> None:
        super().__init__(job, schemas, table.io)
        self.bad: dict[Position, Rejected] = {}

    def _reject(self, records: pa.Table, sifted: Sifted, contract: Contract) -> None:
        places = records.select(["topic", "partition", "offset"]).to_pylist()
        for index, verdict in sifted.bad:
            self.bad[Position(**places[index])] = verdict


def return_to_raw(
    catalog: Catalog, contract: Contract, candidates: Sequence[Candidate], schemas: SchemaSource
) -> Outcome:
    """Land those candidates that are good now and not in raw yet, as one snapshot.

    Args:
        candidates: of the contract's dataset, each position once.

    Raises:
        TableMissingError: raw or quarantine is not there.
        BusyError: others committed faster, every time.
        UnknownResultError: the result could not be found out; repeat it.
        RegistryUnreachableError: a schema can not be asked for now.
    """
    deadline = time.monotonic() + PATIENCE_S
    batch: _Batch | None = None
    while True:
        table = load_raw(catalog, contract)
        # After raw: what raw is landed up to and does not hold is in quarantine by then.
        quarantine = load_quarantine(catalog)
        outcome, missing = _look(table, quarantine, candidates)
        if batch is None or not batch.fits(table, missing):
            if batch is not None:
                batch.delete()
            batch = _Batch(table, contract, missing, schemas)
        outcome.bad = batch.bad
        if not batch.files:
            return outcome
        try:
            batch.commit(catalog, table)
        except CommitRefusedError as refusal:
            log.info("%s: %s: looking again", contract.raw_table, refusal)
        else:
            outcome.landed = batch.good
            return outcome
        if time.monotonic() > deadline:
            batch.delete()
            raise BusyError(contract.raw_table)
        time.sleep(PAUSE_S)


class _Batch:
    """Candidates that raw does not have, judged, the good ones written.

    Attributes:
        files: what the good ones were written to.
        good, bad: the verdicts.
    """

    def __init__(
        self,
        table: Table,
        contract: Contract,
        candidates: Sequence[Candidate],
        schemas: SchemaSource,
    ) -> None:
        self._table = table
        self._keys = [each.record.identity for each in candidates]
        self.files: list[WrittenFile] = []
        topics = {each.record.position.topic: contract for each in candidates}
        job = LandingJob(topics, {contract.raw_table: without_history(table.metadata)})
        sifting = _SecondLook(job, schemas, table)
        try:
            if candidates:
                sifting.add(_records(candidates))
            self.files = sifting.close()
        except BaseException:
            sifting.abort()
            raise
        bad = sifting.bad
        self.bad = {key: bad[key.position] for key in self._keys if key.position in bad}
        self.good = {
            each.record.identity: digest(each.value)
            for each in candidates
            if each.record.position not in bad
        }

    def fits(self, table: Table, candidates: Sequence[Candidate]) -> bool:
        """Whether it still is what raw lacks, written as raw wants it."""
        mine, now = self._table.metadata, table.metadata
        return (
            [each.record.identity for each in candidates] == self._keys
            and mine.table_uuid == now.table_uuid
            and mine.default_spec_id == now.default_spec_id
        )

    def commit(self, catalog: Catalog, table: Table) -> None:
        """Append the files to the table as it was looked at; the offsets stay as they are."""
        carried = recorded_text(table)
        commit_append(
            catalog,
            table,
            [file.data_file() for file in self.files],
            {
                **({SUMMARY_KEY: carried} if carried is not None else {}),
                REPLAYED_KEY: str(len(self.good)),
            },
            table.metadata.current_snapshot_id,
        )

    def delete(self) -> None:
        """Remove the files, which no snapshot has."""
        for file in self.files:
            delete_quietly(self._table, file.path)


def digest(value: bytes | None) -> str | None:
    """The SHA-256 of a value, hexadecimal, as `value_sha256` has it."""
    return None if value is None else hashlib.sha256(value).hexdigest()


def _records(candidates: Sequence[Candidate]) -> pa.RecordBatch:
    """The candidates as landing reads them from Kafka."""
    rows = [
        {
            **each.record.position._asdict(),
            "timestamp": each.record.at,
            "key": each.record.key,
            "value": each.value,
            "headers": _headers(each.record),
        }
        for each in candidates
    ]
    return pa.RecordBatch.from_pylist(rows, schema=RECORD_SCHEMA)


def _headers(record: QuarantinedRecord) -> list[dict[str, Any]] | None:
    if record.headers is None:
        return None
    return [{"key": name, "value": value} for name, value in record.headers]


def _look(
    table: Table, quarantine: Table, candidates: Sequence[Candidate]
) -> tuple[Outcome, list[Candidate]]:
    """Which candidates the table has, and those that it may take."""
    outcome, missing = Outcome(), []
    landed = recorded(table) or {}
    there = find_records(table, [each.record.position for each in candidates])
    gone = of_gone_topics(there, quarantine, landed, [each.record.identity for each in candidates])
    for each in candidates:
        position, key = each.record.position, each.record.identity
        ends = landed.get(position.topic, TopicOffsets()).ends
        rows = there.get(position, {})
        if key.at in rows:
            outcome.present[key] = rows[key.at]
        elif key in gone:
            if each.record.status not in (DISCARDED, REPLAYED):
                outcome.taken.append(position)
        elif position.offset >= ends.get(position.partition, 0):
            outcome.waiting.append(position)
        else:
            missing.append(each)
    return outcome, missing
