"""A topic, its two tables and a ledger, all right; tests plant what is wrong.

The tables are real Iceberg tables in files, written by PyIceberg from rows that are made here: no
code of the writer has a part in it. The topic is in memory, for there is no broker in these tests.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from millrace.contracts.iceberg_schema import quarantine_schema
from millrace.contracts.model import Contract, Field
from millrace.settings import Settings
from millrace.verify.report import Report
from millrace.verify.run import Sources, verify
from millrace.verify.subject import Subject
from millrace.verify.topic import RECORDS, TopicState
from millrace_producers.ledger import Intent, Ledger

RAW, QUARANTINE, TOPIC = "raw.visits", "raw.quarantine", "visits"
CONTRACT = Contract(
    "visits",
    TOPIC,
    "1",
    "",
    "",
    (
        Field("page", "string", required=True),
        Field("at", "timestamp"),
        Field("price", "decimal(9,2)"),
        Field("share", "double"),
        Field("tags", "array", items=Field("item", "string", required=True)),
        # Columns that quarantine has as well.
        Field("status", "string"),
        Field("resolved_at", "string"),
    ),
    format="json",
)
NOW = datetime.now(UTC).replace(microsecond=0)
Row = dict[str, Any]


def good(page: str = "home") -> bytes:
    record = {"page": page, "at": "2026-01-02T03:04:05.000006Z", "price": "1.50", "share": 0.5}
    return json.dumps({**record, "tags": ["a", "b"]}).encode()


BAD = b'{"page": null}'


@dataclass
class MemoryLog:
    """A topic of one partition; offsets without a record are control records.

    Attributes:
        aborted: offsets of records that only a reader of everything gets.
    """

    rows: dict[int, Row] = field(default_factory=dict)
    begin: int = 0
    end: int = 0
    aborted: set[int] = field(default_factory=set)
    topic_id: str = "id-1"

    def state(self, topic: str) -> TopicState:
        return TopicState({0: self.begin}, {0: self.end}, {0: self.end}, self.topic_id)

    def since(self, topic: str, when: datetime) -> dict[int, int]:
        later = [at for at, row in self.rows.items() if row["kafka_at"] >= when]
        return {0: min(later, default=self.end)}

    def records(
        self, topic: str, ranges: Mapping[int, tuple[int, int]], *, committed: bool = True
    ) -> Iterator[pa.RecordBatch]:
        low, high = ranges[0]
        rows = [
            row
            for at, row in sorted(self.rows.items())
            if max(low, self.begin) <= at < high and not (committed and at in self.aborted)
        ]
        names = RECORDS.names
        yield pa.RecordBatch.from_pylist(
            [{name: row[name] for name in names} for row in rows], schema=RECORDS
        )


class World:
    """What was sent, what the log has, what the tables hold."""

    def __init__(self, catalog: Catalog, folder: Path) -> None:
        self.catalog, self.log = catalog, MemoryLog()
        self.ledger_folder = folder / "ledger"
        self.ledger = Ledger(self.ledger_folder)
        self.contract = CONTRACT
        self.schemas: dict[int, Any] = {}
        self.settings = Settings(home=folder)
        for name, schema in ((RAW, CONTRACT.iceberg_schema()), (QUARANTINE, quarantine_schema())):
            catalog.create_table(name, schema, location=f"file://{folder}/{name}")

    def send(
        self,
        *values: bytes | None,
        state: str = "acknowledged",
        arrives: bool = True,
        told_ms: int | None = None,
    ) -> None:
        """Send records as a producer does; those that arrive are in the log."""
        for value in values:
            digest = None if value is None else hashlib.sha256(value).hexdigest()
            (number,) = self.ledger.intend([Intent("visits", TOPIC, digest)])
            if state == "acknowledged":
                self.ledger.acknowledge(number, 0, self.log.end, told_ms)
            else:
                self.ledger.fail(number, state, "as planted")  # type: ignore[arg-type]
            self.ledger.flush()
            if arrives:
                self.append(value)

    def append(self, value: bytes | None, run: str | None = "", at: datetime = NOW) -> None:
        """Put a record into the log, of this world's run by default."""
        name = self.ledger.run_id if run == "" else run
        offset = self.log.end
        self.log.rows[offset] = {
            "kafka_partition": 0,
            "kafka_offset": offset,
            "kafka_at": at,
            "kafka_key": f"key-{offset}".encode(),
            "kafka_headers": [{"key": "millrace-run", "value": name.encode()}] if name else [],
            "value": value,
        }
        self.log.end += 1

    def land(self, up_to: int | None = None) -> None:
        """Land what is in the log: good records to raw, others to quarantine."""
        start = self._landed()
        end = self.log.end if up_to is None else up_to
        rows = [self.log.rows[at] for at in range(start, end) if at in self.log.rows]
        rows = [row for row in rows if row["kafka_offset"] not in self.log.aborted]
        self.put(QUARANTINE, [self.bad_row(row) for row in rows if row["value"] == BAD], end)
        self.put(RAW, [self.raw_row(row) for row in rows if row["value"] != BAD], end)

    def _landed(self) -> int:
        snapshot = self.table(RAW).current_snapshot()
        if snapshot is None or snapshot.summary is None:
            return 0
        return int(json.loads(snapshot.summary["millrace.offsets"])[TOPIC]["offsets"]["0"])

    def raw_row(self, record: Row) -> Row:
        """The row of a record, as a right writer makes it."""
        value = record["value"]
        row = {} if value is None else json.loads(value)
        if row.get("at"):
            row["at"] = datetime.fromisoformat(row["at"])
        if row.get("price"):
            row["price"] = Decimal(row["price"])
        return {
            **row,
            **record,
            "kafka_topic": TOPIC,
            "is_tombstone": value is None,
            "schema_id": None,
            "value_sha256": None if value is None else hashlib.sha256(value).hexdigest(),
            "landed_at": NOW,
        }

    def bad_row(self, record: Row, status: str = "open") -> Row:
        row = {**record, "kafka_topic": TOPIC, "dataset": "visits", "reason": "missing_field"}
        digest = hashlib.sha256(record["value"]).hexdigest()
        return {**row, "value_sha256": digest, "status": status, "quarantined_at": NOW}

    def offsets(self, end: int) -> dict[str, str]:
        entry = {"topic_id": self.log.topic_id, "offsets": {"0": end}}
        return {"millrace.offsets": json.dumps({TOPIC: entry})}

    def put(self, name: str, rows: Sequence[Row], end: int) -> None:
        """Append rows and the landed end as one snapshot."""
        table = self.table(name)
        table.append(self._arrow(table, rows), snapshot_properties=self.offsets(end))

    def change(self, name: str, edit: Callable[[list[Row]], list[Row]]) -> None:
        """Rewrite a table's rows and leave its landed end."""
        table = self.table(name)
        rows = table.scan().to_arrow().sort_by("kafka_offset").to_pylist()
        properties = self.offsets(self._landed())
        table.overwrite(self._arrow(table, edit(rows)), snapshot_properties=properties)

    def drop(self, name: str, *offsets: int) -> None:
        self.change(name, lambda rows: [row for row in rows if row["kafka_offset"] not in offsets])

    def _arrow(self, table: Table, rows: Sequence[Row]) -> pa.Table:
        return pa.Table.from_pylist(list(rows), schema=table.schema().as_arrow())

    def table(self, name: str) -> Table:
        return self.catalog.load_table(name)

    def age(self, days: int) -> None:
        """Make every record older, in the log and in the tables."""

        def older(rows: Iterable[Row]) -> list[Row]:
            return [{**row, "kafka_at": row["kafka_at"] - timedelta(days=days)} for row in rows]

        self.log.rows = dict(enumerate(older(self.log.rows.values())))
        for name in (RAW, QUARANTINE):
            self.change(name, older)

    def verify(self, **options: Any) -> Report:
        subject = Subject("visits", TOPIC, RAW, QUARANTINE, self.ledger_folder)
        subject = replace(subject, since=options.pop("since", None))
        return verify(
            [subject],
            self.settings,
            ("pyiceberg",),
            wait_s=options.pop("wait_s", 0),
            sources=self.sources(),
            contracts={"visits": self.contract},
            **options,
        )

    def sources(self) -> Sources:
        return Sources(self.catalog, self.log, self.schemas.get)

    def broken(self, **options: Any) -> dict[str, list[str]]:
        """Law to what was found against it."""
        found: dict[str, list[str]] = {}
        for finding in self.verify(**options).findings:
            found.setdefault(finding.law, []).append(finding.text)
        return found


@pytest.fixture
def world(lake_catalog: Catalog, tmp_path: Path) -> World:
    """Six records landed, the fourth of them quarantined, the fifth a tombstone."""
    made = World(lake_catalog, tmp_path)
    made.send(good("a"), good("b"), good("c"), BAD, None, good("d"))
    made.land()
    return made
