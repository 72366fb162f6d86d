"""One dataset on a store of its own: 60 records in two partitions, some of them quarantined."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyiceberg.table import Table
from pyiceberg.types import IntegerType

from millrace.contracts.iceberg_schema import (
    quarantine_partitioning,
    quarantine_schema,
    raw_partitioning,
)
from millrace.contracts.model import Contract, Field
from millrace.contracts.names import QUARANTINE_TABLE
from millrace.lake import LakeCatalog
from millrace.lake.commit import commit_append
from millrace.lake.offsets import SUMMARY_KEY, TopicOffsets, dump
from millrace.landing.writer import TableWriter
from millrace.verify.keys import Ranges
from millrace.verify.topic import RECORDS, TopicState
from millrace_producers.ledger import Intent, Ledger

STEP = (Field("link", "string"), Field("price", "decimal(9,2)"))
CONTRACT = Contract(
    "visits",
    "visits",
    "1",
    "",
    "",
    (
        Field("page", "string", required=True),
        Field("seconds", "int"),
        Field("steps", "array", items=Field("item", "struct", fields=STEP)),
        Field("late_column", "int"),
    ),
    format="json",
)
PARTITIONS, OFFSETS = (0, 1), range(30)
#: Landed by the first of two commits; the second one lands the rest.
FIRST_COMMIT = 20
TOPIC_ID = "t"
BEGAN = datetime.now(UTC) - timedelta(hours=1)


def is_bad(offset: int) -> bool:
    """Whether the record lacks its page."""
    return offset % 7 == 3


def is_tombstone(offset: int) -> bool:
    """Whether the record has no value."""
    return offset % 10 == 5


def record(partition: int, offset: int) -> dict[str, Any]:
    """The values of a record."""
    if is_tombstone(offset):
        return {}
    steps = [{"link": f"s{n}", "price": Decimal(offset * n) / 100} for n in range(offset % 3)]
    own = {"page": f"page {partition} {offset}", "seconds": offset % 5, "steps": steps}
    if is_bad(offset):
        del own["page"]
    return own


def encoded(partition: int, offset: int) -> bytes | None:
    """The bytes of a record."""
    if is_tombstone(offset):
        return None
    return json.dumps(record(partition, offset), default=str).encode()


def digest(value: bytes | None) -> str | None:
    return None if value is None else hashlib.sha256(value).hexdigest()


class Dataset:
    """The tables and the ledger.

    Attributes:
        records: position to the bytes of every record of the topic.
    """

    def __init__(self, catalog: LakeCatalog, folder: Path) -> None:
        self.catalog, self.folder, self.ledger = catalog, folder, folder / "ledger"
        self.records = {
            (partition, offset): encoded(partition, offset)
            for partition in PARTITIONS
            for offset in OFFSETS
        }
        ledger = Ledger(self.ledger)
        self.run = ledger.run_id
        self._make_tables()
        digests = [digest(value) for value in self.records.values()]
        numbers = ledger.intend([Intent("visits", "visits", each) for each in digests])
        for number, position in zip(numbers, self.records, strict=True):
            ledger.acknowledge(number, *position)
        ledger.close()
        other = Ledger(self.ledger)
        (number,) = other.intend([Intent("others", "others", "00")])
        other.acknowledge(number, 0, 0)
        other.close()
        self.land(range(FIRST_COMMIT))
        self.land(range(FIRST_COMMIT, OFFSETS.stop))

    def _make_tables(self) -> None:
        """The raw table has grown once, so its field ids are not those of a new table."""
        old = Contract(**{**CONTRACT.__dict__, "fields": CONTRACT.fields[:3]}).iceberg_schema()
        for name, schema, spec in (
            ("raw.visits", old, raw_partitioning(old)),
            (
                QUARANTINE_TABLE,
                quarantine_schema(),
                quarantine_partitioning(quarantine_schema()),
            ),
        ):
            location = f"file://{self.folder}/user/{name}"
            self.catalog.create_table(name, schema, location=location, partition_spec=spec)
        with self.table().update_schema() as update:
            update.add_column("late_column", IntegerType())
            update.move_before("late_column", "kafka_topic")

    def table(self, name: str = "raw.visits") -> Table:
        return self.catalog.load_table(name)

    def land(self, offsets: range) -> None:
        """Two commits, as landing makes them: the bad records, then the good ones."""
        good = [(p, o) for p in PARTITIONS for o in offsets if not is_bad(o)]
        bad = [(p, o) for p in PARTITIONS for o in offsets if is_bad(o)]
        summary = {
            SUMMARY_KEY: dump(
                {"visits": TopicOffsets(dict.fromkeys(PARTITIONS, offsets.stop), TOPIC_ID)}
            )
        }
        for name, positions in ((QUARANTINE_TABLE, bad), ("raw.visits", good)):
            table = self.table(name)
            writer = TableWriter(name, table.metadata, table.io)
            rows = [self.row(name, *position) for position in positions]
            writer.write(pa.Table.from_pylist(rows, writer.arrow_schema))
            files = [file.data_file() for file in writer.close()]
            commit_append(self.catalog, table, files, summary, table.metadata.current_snapshot_id)

    def row(self, name: str, partition: int, offset: int) -> dict[str, Any]:
        value = self.records[partition, offset]
        row = {
            "kafka_topic": "visits",
            "kafka_partition": partition,
            "kafka_offset": offset,
            "kafka_at": BEGAN + timedelta(seconds=offset),
            "kafka_headers": [{"key": "millrace-run", "value": self.run.encode()}],
            "value_sha256": digest(value),
            "value": value,
        }
        if name == QUARANTINE_TABLE:
            own = {"dataset": "visits", "reason": "missing_field", "status": "open"}
        else:
            own = {**record(partition, offset), "is_tombstone": value is None}
        return {**row, **own}


class MemoryLog:
    """The dataset's topic, as the verifier reads it."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def state(self, topic: str) -> TopicState:
        ends = dict.fromkeys(PARTITIONS, OFFSETS.stop)
        return TopicState(dict.fromkeys(PARTITIONS, 0), ends, ends, TOPIC_ID)

    def since(self, topic: str, when: datetime) -> dict[int, int]:
        return dict.fromkeys(PARTITIONS, 0)

    def records(
        self, topic: str, ranges: Ranges, *, committed: bool = True
    ) -> Iterator[pa.RecordBatch]:
        rows = [
            {**self.dataset.row(QUARANTINE_TABLE, partition, offset), "kafka_key": None}
            for partition, offset in self.dataset.records
            if ranges.get(partition, (0, 0))[0] <= offset < ranges.get(partition, (0, 0))[1]
        ]
        yield pa.RecordBatch.from_pylist(rows, RECORDS)
