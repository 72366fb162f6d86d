"""A log of one topic that is landed with some bad records, and the ways to look at its tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.table import Table

from millrace.contracts.iceberg_schema import (
    quarantine_partitioning,
    quarantine_schema,
    raw_partitioning,
)
from millrace.contracts.model import Contract, Field
from millrace.contracts.names import QUARANTINE_TABLE
from millrace.lake import LakeCatalog
from millrace.landing.lander import Lander
from millrace.landing.positions import LogState, Ranges
from millrace.landing.reset import reset_offsets
from millrace.landing.schemas import RegisteredSchema
from millrace.landing.sift import RECORD_SCHEMA, LandingJob, sift_batches
from millrace.landing.writer import WrittenFile
from millrace.quarantine.records import Position, Selection
from millrace.quarantine.replay import Replay, Replayed

PAGE = Field("page", "string", required=True)
CONTRACT = Contract("visits", "visits", "1", "", "", (PAGE,), format="json")
#: Offsets 0 to 9 of partition 0; 0, 3 and 9 lack their field, 6 is no JSON.
VALUES: dict[int, bytes] = {
    offset: b"{}" if offset % 3 == 0 else b'{"page": "p"}' for offset in range(10)
}
VALUES[6] = b"{"
NO_HEADERS = 9


class NoSchemas:
    """A registry without schemas: the contract is JSON."""

    def by_id(self, schema_id: int, subject: str) -> RegisteredSchema | None:
        return None


class Bed:
    """The tables of one contract, its log, and what is done with them.

    Attributes:
        contract: as it is now.
        log: what the broker says of the topic.
        born: microseconds of the first record; a topic created again has another.
    """

    def __init__(self, catalog: LakeCatalog, folder: Path) -> None:
        self.catalog = catalog
        self.contract = CONTRACT
        self.values = dict(VALUES)
        self.log = LogState("id-1", {0: 0}, {0: len(VALUES)})
        self.born = 1_000_000
        raw, quarantine = CONTRACT.iceberg_schema(), quarantine_schema()
        for name, schema, spec in (
            ("raw.visits", raw, raw_partitioning(raw)),
            (QUARANTINE_TABLE, quarantine, quarantine_partitioning(quarantine)),
        ):
            location = f"file://{folder}/{name}"
            catalog.create_table(name, schema, location=location, partition_spec=spec)

    def driver(self) -> Lander:
        lander = Lander(self.catalog, [self.contract], self, "test")
        lander.open()
        return lander

    def log_states(self, topics: Iterable[str]) -> dict[str, LogState]:
        return {"visits": self.log}

    def topic_ids(self, topics: Iterable[str]) -> dict[str, str]:
        return {"visits": self.log.topic_id}

    def land(self, high: int, lander: Lander | None = None) -> None:
        """Land up to the offset."""
        lander = lander or self.driver()
        low = lander.starts["visits"][0]
        files = self._sift(low, high, lander.job())
        lander.commit({"visits": {0: (low, high)}}, files)

    def finish(self) -> None:
        """What the application does first: land the batch that died between its commits."""
        lander = self.driver()
        unfinished: dict[str, Ranges] = lander.unfinished()
        ((low, high),) = unfinished["visits"].values()
        lander.commit(unfinished, self._sift(low, high, lander.job(unfinished)))

    def correct(self) -> None:
        """The contract is corrected: a page may be missing."""
        self.contract = replace(CONTRACT, fields=(replace(PAGE, required=False),))

    def reset(self) -> None:
        """Agree with a topic that was created again."""
        reset_offsets(self.catalog, self.contract, self)

    def create_again(self, values: dict[int, bytes]) -> None:
        """The topic is deleted and created again with these records, and agreed with."""
        self.born += 1_000_000
        self.log = LogState(f"id-{self.born}", {0: 0}, {0: len(values)})
        self.values = values
        self.reset()

    def die_between_the_commits(self, high: int) -> None:
        """A driver that is gone when quarantine is committed and raw is not."""

        def die(*_: object) -> None:
            raise KeyboardInterrupt

        dying = self.driver()
        dying._commit_raw = die  # type: ignore
        with pytest.raises(KeyboardInterrupt):
            self.land(high, dying)

    def replay(self, *offsets: int, **chosen: Any) -> Replayed:
        """Replay those offsets, or what is open."""
        positions = tuple(Position("visits", 0, offset) for offset in offsets)
        chosen = chosen or ({} if positions else {"statuses": ("open",)})
        done = self.replayer().run(Selection(positions=positions, **chosen), lambda line: None)
        return done.get("visits", Replayed())

    def replayer(self) -> Replay:
        return Replay(self.catalog, {"visits": self.contract}, NoSchemas())

    def table(self, name: str) -> Table:
        return self.catalog.load_table(name)

    def rows(self, name: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.table(name).scan().to_arrow().to_pylist()
        return sorted(rows, key=lambda row: (row["kafka_offset"], row["kafka_at"]))

    def headers(self, name: str, offset: int) -> list[Any]:
        """The headers of the rows at an offset as the files have them.

        PyIceberg reads a null list of structs as an empty one.
        """
        table, found = self.table(name), []
        for task in table.scan().plan_files():
            with table.io.new_input(task.file.file_path).open() as stream:
                rows = pq.read_table(stream).to_pylist()
            found += [row["kafka_headers"] for row in rows if row["kafka_offset"] == offset]
        return found

    def raw(self) -> list[int]:
        """The offsets in raw."""
        return [row["kafka_offset"] for row in self.rows("raw.visits")]

    def states_of(self) -> dict[int, str]:
        """Offset to the state of its row in quarantine."""
        return {row["kafka_offset"]: row["status"] for row in self.rows(QUARANTINE_TABLE)}

    def _sift(self, low: int, high: int, job: LandingJob) -> list[WrittenFile]:
        rows: list[dict[str, object]] = [
            {
                "topic": "visits",
                "partition": 0,
                "offset": offset,
                "timestamp": datetime.fromtimestamp((self.born + offset) / 1e6, UTC),
                "value": self.values[offset],
                "key": b"k",
                "headers": None if offset == NO_HEADERS else [{"key": "h", "value": b"v"}],
            }
            for offset in range(low, high)
        ]
        batch = pa.RecordBatch.from_pylist(rows, schema=RECORD_SCHEMA)
        return list(sift_batches([batch], job, NoSchemas(), self.table("raw.visits").io))


@pytest.fixture
def bed(lake_catalog: LakeCatalog, tmp_path: Path) -> Bed:
    """The tables, nothing landed yet."""
    return Bed(lake_catalog, tmp_path)


@pytest.fixture
def landed(bed: Bed) -> Bed:
    """All ten records landed in two batches: 0, 3, 6 and 9 are in quarantine."""
    bed.land(5)
    bed.land(10)
    return bed


@pytest.fixture
def corrected(landed: Bed) -> Bed:
    """The contract is corrected: 0, 3 and 9 are good now, 6 never will be."""
    landed.correct()
    return landed
