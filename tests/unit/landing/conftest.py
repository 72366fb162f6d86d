"""One contract's raw table and the quarantine table, and drivers that land a log into them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
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
from millrace.landing.broker import Place
from millrace.landing.lander import Lander
from millrace.landing.positions import LogState, Ranges, capped
from millrace.landing.schemas import RegisteredSchema
from millrace.landing.sift import RECORD_SCHEMA, LandingJob, sift_batches
from millrace.landing.writer import WrittenFile

CONTRACT = Contract(
    "visits", "visits", "1", "", "", (Field("page", "string", required=True),), format="json"
)
#: Offsets 0 to 9 of partition 0; every third record lacks its field, one is a tombstone.
VALUES: dict[int, bytes | None] = {
    offset: b"{}" if offset % 3 == 0 else b'{"page": "p"}' for offset in range(10)
}
VALUES[7] = None
BAD = [0, 3, 6, 9]


class NoSchemas:
    def by_id(self, schema_id: int, subject: str) -> RegisteredSchema | None:
        return None


class Landing:
    """Tables of one contract, and drivers that land the log into them.

    Attributes:
        values: the log's records by offset.
        log: what the broker says of it.
        stamp: milliseconds that the broker stamped offset 0 with; each offset has one more.
        retention_s: how long the topic keeps a record.
    """

    def __init__(self, catalog: LakeCatalog, folder: Path) -> None:
        self.catalog = catalog
        self.contract = CONTRACT
        self.values = dict(VALUES)
        self.log = LogState("id-1", {0: 0}, {0: len(VALUES)})
        self.stamp = 0
        self.retention_s: float | None = None
        self._folder = folder
        raw = CONTRACT.iceberg_schema()
        location = f"file://{folder}/raw.visits"
        catalog.create_table("raw.visits", raw, location, partition_spec=raw_partitioning(raw))
        self.create_quarantine()

    def create_quarantine(self) -> None:
        schema = quarantine_schema()
        spec, location = quarantine_partitioning(schema), f"file://{self._folder}/quarantine"
        self.catalog.create_table(QUARANTINE_TABLE, schema, location, partition_spec=spec)

    def driver(self) -> Lander:
        lander = Lander(self.catalog, [self.contract], self, "test")
        lander.open()
        return lander

    def log_states(self, topics: Iterable[str]) -> dict[str, LogState]:
        return {"visits": self.log}

    def topic_ids(self, topics: Iterable[str]) -> dict[str, str]:
        return {"visits": self.log.topic_id}

    def write_log_anew(self, log: LogState) -> None:
        """The broker has another log now, whose records came later than those of the first."""
        self.log = log
        self.stamp += 1_000

    def first_records(self, places: Mapping[Place, int]) -> dict[Place, tuple[int, int]]:
        firsts = {place: max(at, self.log.begins[place[1]]) for place, at in places.items()}
        return {
            place: (offset, self.stamp + offset)
            for place, offset in firsts.items()
            if offset < self.log.ends[place[1]]
        }

    def retentions_s(self, topics: Iterable[str]) -> dict[str, float | None]:
        return {"visits": self.retention_s}

    def sift(self, low: int, high: int, job: LandingJob) -> list[WrittenFile]:
        rows: list[dict[str, object]] = [
            {
                "topic": "visits",
                "partition": 0,
                "offset": offset,
                "timestamp": (self.stamp + offset) * 1000,
                "value": self.values[offset],
                "headers": [],
            }
            for offset in range(low, high)
        ]
        batch = pa.RecordBatch.from_pylist(rows, schema=RECORD_SCHEMA)
        io = self.table("raw.visits").io
        return list(sift_batches([batch], job, NoSchemas(), io))

    def land(self, lander: Lander, high: int, ranges: dict[str, Ranges] | None = None) -> None:
        """Land up to the offset, or the given unfinished ranges."""
        low = lander.starts["visits"][0]
        files = self.sift(low, high, lander.job(ranges))
        lander.commit(ranges or {"visits": {0: (low, high)}}, files)

    def die_between_the_commits(self, high: int) -> None:
        """A driver that is gone when quarantine is committed and raw is not."""

        def die(*_: object) -> None:
            raise KeyboardInterrupt

        dying = self.driver()
        dying._commit_raw = die  # type: ignore
        with pytest.raises(KeyboardInterrupt):
            self.land(dying, high)

    def finish(self, lander: Lander, most: int = 100) -> None:
        """What the application does first."""
        while unfinished := lander.unfinished():
            ranges = capped(unfinished["visits"], most)
            self.land(lander, ranges[0][1], {"visits": ranges})

    def table(self, name: str) -> Table:
        return self.catalog.load_table(name)

    def offsets(self, name: str) -> list[int]:
        found: list[int] = self.table(name).scan().to_arrow()["kafka_offset"].to_pylist()
        return sorted(found)

    def holds_all_once(self, up_to: int = len(VALUES)) -> bool:
        good = [offset for offset in range(up_to) if offset not in BAD]
        bad = [offset for offset in BAD if offset < up_to]
        return (self.offsets("raw.visits"), self.offsets(QUARANTINE_TABLE)) == (good, bad)


@pytest.fixture
def landing(lake_catalog: LakeCatalog, tmp_path: Path) -> Landing:
    return Landing(lake_catalog, tmp_path)


@pytest.fixture
def landed(landing: Landing) -> Landing:
    """Ten records of today in two batches; those in quarantine, 0, 3, 6 and 9, are good now."""
    landing.stamp = int(time.time() * 1000) - 1000
    lander = landing.driver()
    for high in (5, 10):
        landing.land(lander, high)
    landing.contract = replace(landing.contract, fields=(Field("page", "string"),))
    return landing
