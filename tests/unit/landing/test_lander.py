"""Batches against real tables, through crashes, races and rollbacks: each record once."""

from __future__ import annotations

from collections.abc import Iterable
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
from millrace.lake.commit import commit_append
from millrace.lake.offsets import of_table
from millrace.landing.errors import TableMissingError, TakenOverError
from millrace.landing.lander import Lander
from millrace.landing.positions import LogState, Ranges
from millrace.landing.reset import reset_offsets
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
LOG = LogState("id-1", {0: 0}, {0: len(VALUES)})


class NoSchemas:
    def by_id(self, schema_id: int, subject: str) -> RegisteredSchema | None:
        return None


class Landing:
    """Tables of one contract, and drivers that land the log into them."""

    def __init__(self, catalog: LakeCatalog, folder: Path) -> None:
        self.catalog = catalog
        raw, quarantine = CONTRACT.iceberg_schema(), quarantine_schema()
        for name, schema, spec in (
            ("raw.visits", raw, raw_partitioning(raw)),
            (QUARANTINE_TABLE, quarantine, quarantine_partitioning(quarantine)),
        ):
            location = f"file://{folder}/{name}"
            catalog.create_table(name, schema, location=location, partition_spec=spec)

    def driver(self) -> Lander:
        lander = Lander(self.catalog, [CONTRACT], lambda topics: {"visits": LOG}, "test")
        lander.open()
        return lander

    def sift(self, low: int, high: int, job: LandingJob) -> list[WrittenFile]:
        rows: list[dict[str, object]] = [
            {
                "topic": "visits",
                "partition": 0,
                "offset": offset,
                "timestamp": offset,
                "value": VALUES[offset],
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

    def finish(self, lander: Lander) -> None:
        """What the application does first."""
        while ranges := lander.unfinished():
            self.land(lander, ranges["visits"][0][1], ranges)

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


def test_a_batch_lands_its_good_records_in_raw_and_its_bad_ones_in_quarantine(
    landing: Landing,
) -> None:
    lander = landing.driver()
    landing.land(lander, 4)
    landing.land(lander, 10)
    assert landing.holds_all_once()
    (last,) = of_table(landing.table("raw.visits")).values()
    assert (last.ends, last.topic_id, lander.starts) == ({0: 10}, "id-1", {"visits": {0: 10}})


def test_rows_carry_what_kafka_knows_and_why_they_were_refused(landing: Landing) -> None:
    landing.land(landing.driver(), 10)
    raw = {r["kafka_offset"]: r for r in landing.table("raw.visits").scan().to_arrow().to_pylist()}
    assert (raw[1]["page"], raw[1]["value"], raw[1]["is_tombstone"]) == ("p", VALUES[1], False)
    assert (raw[7]["page"], raw[7]["value_sha256"], raw[7]["is_tombstone"]) == (None, None, True)
    bad = landing.table(QUARANTINE_TABLE).scan().to_arrow().to_pylist()[0]
    told = (bad["dataset"], bad["reason"], bad["field"], bad["status"], bad["value"])
    assert told == ("visits", "missing_field", "page", "quarantined", b"{}")


def test_a_batch_of_bad_records_alone_still_moves_the_raw_tables_offsets(landing: Landing) -> None:
    landing.land(landing.driver(), 1)
    assert landing.holds_all_once(up_to=1)
    assert landing.driver().starts == {"visits": {0: 1}}


def die_between_the_commits(landing: Landing, high: int) -> None:
    """A driver that is gone when quarantine is committed and raw is not."""

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    dying = landing.driver()
    dying._commit_raw = die  # type: ignore
    with pytest.raises(KeyboardInterrupt):
        landing.land(dying, high)


def test_a_driver_that_dies_between_its_two_commits_doubles_and_loses_nothing(
    landing: Landing,
) -> None:
    die_between_the_commits(landing, 8)
    assert (landing.offsets("raw.visits"), landing.offsets(QUARANTINE_TABLE)) == ([], [0, 3, 6])
    lander = landing.driver()
    assert lander.unfinished() == {"visits": {0: (0, 8)}}
    landing.finish(lander)
    landing.land(lander, 10)
    assert landing.holds_all_once()


def test_a_record_judged_differently_the_second_time_lands_in_one_place(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    die_between_the_commits(landing, 8)
    monkeypatch.setitem(VALUES, 3, b'{"page": "now it is good"}')
    landing.finish(landing.driver())
    assert 3 in landing.offsets(QUARANTINE_TABLE)
    assert 3 not in landing.offsets("raw.visits")


def test_of_two_drivers_that_land_the_same_batch_one_is_told_to_start_anew(
    landing: Landing, tmp_path: Path
) -> None:
    first, second = landing.driver(), landing.driver()
    landing.land(first, 8)
    files = sorted(tmp_path.rglob("*.parquet"))
    with pytest.raises(TakenOverError):
        landing.land(second, 10)
    assert landing.holds_all_once(up_to=8)
    assert sorted(tmp_path.rglob("*.parquet")) == files


def test_a_foreign_commit_that_leaves_the_offsets_alone_is_no_conflict(landing: Landing) -> None:
    lander = landing.driver()
    landing.land(lander, 4)
    table = landing.table("raw.visits")
    commit_append(landing.catalog, table, [], {}, table.metadata.current_snapshot_id)
    landing.land(lander, 10)
    assert landing.holds_all_once()


def test_after_a_rollback_a_running_driver_starts_anew_and_lands_what_was_rolled_back(
    landing: Landing,
) -> None:
    lander = landing.driver()
    landing.land(lander, 2)
    first = landing.table("raw.visits").metadata.current_snapshot_id
    assert first is not None
    landing.land(lander, 8)
    landing.table("raw.visits").manage_snapshots().set_current_snapshot(first).commit()
    with pytest.raises(TakenOverError):
        landing.land(lander, 10)
    again = landing.driver()
    landing.finish(again)
    landing.land(again, 10)
    assert landing.holds_all_once()


def test_a_contract_that_is_not_applied_names_make_apply(
    lake_catalog: LakeCatalog, landing: Landing
) -> None:
    lake_catalog.drop_table("raw.visits")
    with pytest.raises(TableMissingError) as refused:
        landing.driver()
    assert refused.value.remedy == "make apply"


def test_a_reset_goes_on_from_the_log_and_keeps_the_rows(landing: Landing) -> None:
    landing.land(landing.driver(), 10)
    recreated = LogState("id-2", {0: 0}, {0: 3})

    def states(topics: Iterable[str]) -> dict[str, LogState]:
        return {"visits": recreated}

    reset_offsets(landing.catalog, CONTRACT, states)
    lander = Lander(landing.catalog, [CONTRACT], states)
    lander.open()
    assert (lander.starts, lander.unfinished()) == ({"visits": {0: 0}}, {})
    assert landing.holds_all_once()
