"""Records of Kafka to rows: each goes to its raw table or to quarantine, none anywhere else.

Runs in Spark's tasks and in replay alike, knows neither Spark nor Kafka, and commits nothing:
it writes data files and describes them. Records arrive as Arrow batches with the columns of
`RECORD_SCHEMA`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.io import FileIO
from pyiceberg.table.metadata import TableMetadataUtil

from millrace.contracts.model import Contract
from millrace.contracts.names import QUARANTINE_TABLE
from millrace.lake.offsets import Identity
from millrace.landing.decoder import Decoder
from millrace.landing.held import Held
from millrace.landing.reasons import Rejected
from millrace.landing.rows import Sifted, quarantine_rows, raw_rows
from millrace.landing.schemas import SchemaSource
from millrace.landing.validator import compile_contract
from millrace.landing.writer import TableWriter, WrittenFile

RECORD_SCHEMA = pa.schema(
    {
        "topic": pa.string(),
        "partition": pa.int32(),
        "offset": pa.int64(),
        "timestamp": pa.timestamp("us", "UTC"),
        "key": pa.binary(),
        "value": pa.binary(),
        "headers": pa.list_(pa.struct({"key": pa.string(), "value": pa.binary()})),
    }
)


@dataclass(frozen=True)
class LandingJob:
    """What a task must know.

    Attributes:
        contracts: topic to its contract.
        tables: table name to its metadata (`writer.without_history`), quarantine's among them.
        held: topic to the records that a table has already.
    """

    contracts: Mapping[str, Contract]
    tables: Mapping[str, str]
    held: Mapping[str, Held] = field(default_factory=dict)


Sifter = Callable[[Sequence[bytes | None]], Sifted]


def compile_sifter(contract: Contract, schemas: SchemaSource) -> Sifter:
    """The function that judges the values of a contract's records. None is a tombstone."""
    decode = Decoder(contract, schemas).decode
    judge = compile_contract(contract)

    def sift(values: Sequence[bytes | None]) -> Sifted:
        result = Sifted()
        for index, value in enumerate(values):
            schema_id = None
            try:
                if value is None:
                    row: dict[str, Any] = {}
                else:
                    decoded = decode(value)
                    schema_id = decoded.schema_id
                    row = judge(decoded.record)
            except Rejected as verdict:
                if verdict.schema_id is None:
                    verdict.schema_id = schema_id
                result.bad.append((index, verdict))
            else:
                result.good.append(index)
                result.rows.append(row)
                result.schema_ids.append(schema_id)
        return result

    return sift


class Landing:
    """Sifts batches into data files; `close` gives them, `abort` removes them."""

    def __init__(self, job: LandingJob, schemas: SchemaSource, io: FileIO) -> None:
        self._job = job
        self._io = io
        self._writers: dict[str, TableWriter] = {}
        self._sifters = {
            topic: compile_sifter(contract, schemas) for topic, contract in job.contracts.items()
        }

    def add(self, batch: pa.RecordBatch) -> None:
        """Judge and write the records of a batch."""
        records = pa.Table.from_batches([batch]).cast(RECORD_SCHEMA)
        for topic in pc.unique(records["topic"]).to_pylist():
            of_topic = records.filter(pc.equal(records["topic"], topic))
            self._add_topic(topic, self._without_left_out(topic, of_topic))

    def close(self) -> list[WrittenFile]:
        """Finish the files of every table."""
        return [file for writer in self._writers.values() for file in writer.close()]

    def abort(self) -> None:
        """Remove every file."""
        for writer in self._writers.values():
            writer.abort()

    def _without_left_out(self, topic: str, records: pa.Table) -> pa.Table:
        left_out = self._job.held.get(topic, Held()).left_out
        if not left_out:
            return records
        return records.filter(pa.array([each not in left_out for each in _identities(records)]))

    def _add_topic(self, topic: str, records: pa.Table) -> None:
        contract = self._job.contracts[topic]
        values = records["value"].to_pylist()
        sifted = self._sifters[topic](values)
        digests = [None if each is None else hashlib.sha256(each).hexdigest() for each in values]
        records = records.append_column("value_sha256", pa.array(digests, pa.string()))
        if sifted.good:
            writer = self._writer(contract.raw_table)
            writer.write(raw_rows(records, sifted, writer.arrow_schema))
        if sifted.bad:
            self._reject(records, sifted, contract)

    def _reject(self, records: pa.Table, sifted: Sifted, contract: Contract) -> None:
        """What becomes of the bad records."""
        if replayed := self._job.held.get(contract.topic, Held()).replayed:
            known = _identities(records)
            sifted.bad = [each for each in sifted.bad if known[each[0]] not in replayed]
            if not sifted.bad:
                return
        writer = self._writer(QUARANTINE_TABLE)
        writer.write(quarantine_rows(records, sifted, contract.dataset, writer.arrow_schema))

    def _writer(self, table: str) -> TableWriter:
        if table not in self._writers:
            metadata = _parse_metadata(self._job.tables[table])
            self._writers[table] = TableWriter(table, metadata, self._io)
        return self._writers[table]


def _identities(records: pa.Table) -> list[Identity]:
    columns = (records["partition"], records["offset"], records["timestamp"].cast(pa.int64()))
    return list(zip(*(column.to_pylist() for column in columns), strict=True))


def sift_batches(
    batches: Iterable[pa.RecordBatch], job: LandingJob, schemas: SchemaSource, io: FileIO
) -> Iterator[WrittenFile]:
    """Sift all batches; the files come when the last record is written, or none at all."""
    landing = Landing(job, schemas, io)
    try:
        for batch in batches:
            landing.add(batch)
        written = landing.close()
    except BaseException:
        landing.abort()
        raise
    yield from written


@lru_cache(maxsize=64)
def _parse_metadata(text: str) -> Any:
    """A Python worker serves many batches of the same table."""
    return TableMetadataUtil.parse_raw(text)
