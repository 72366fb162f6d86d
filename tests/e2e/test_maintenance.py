"""Maintenance on the real stores while a topic lands: nothing lost or doubled, old rows gone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.table import Table

from millrace.contracts import load_contracts
from millrace.lake import LakeCatalog, catalog
from millrace.lake.offsets import recorded
from millrace.landing.broker import Broker
from millrace.landing.landed_table import LandedTable, Move
from millrace.landing.lander import Lander
from millrace.landing.writer import TableWriter, WrittenFile
from millrace.maintenance.compact import FEWEST_FILES
from millrace.settings import Settings

Query = Callable[[str], list[list[Any]]]
Eventually = Callable[[Callable[[], bool], float, str], None]
#: A dataset without a key: no processed table has to read it before its rows may go.
BEACONS = """apiVersion: v3.2.0
kind: DataContract
id: beacons
version: 1.0.0
status: active
description:
  purpose: Signs of life of a device.
team:
  name: facilities
schema:
  - name: beacons
    properties:
      - name: device_id
        logicalType: string
        required: true
        description: Which device.
"""
RAW = "raw.beacons"
#: Of one sending; it takes five seconds, two batches of landing or three.
ROWS, RATE = 100, 20
STEPS = "manifests,compact,expire"
#: A table of these tests alone may lose its snapshots at once.
AT_ONCE = {"MILLRACE_MAINTENANCE__LONGEST_JOB_HOURS": "0"}
COUNT = f"select count(*), count(distinct (kafka_partition, kafka_offset)) from {RAW}"
FILES = 'select count(*) from raw."beacons$files"'


@pytest.fixture(scope="module")
def lake_catalog(cluster: Settings) -> LakeCatalog:
    return catalog(cluster)


@pytest.fixture(scope="module")
def beacons(cluster: Settings, millrace: Any, tmp_path_factory: Any) -> Path:
    """A file of records of the dataset, which is applied and landed."""
    (cluster.contracts / "beacons.yaml").write_text(BEACONS)
    millrace("apply")
    millrace("landing", "start")
    file: Path = tmp_path_factory.mktemp("beacons") / "beacons.csv"
    file.write_text("\n".join(["device_id", *(f"d{n}" for n in range(ROWS))]) + "\n")
    return file


class Sender(Thread):
    """Sends the file again and again until it is told to stop.

    Attributes:
        sent: records that were acknowledged.
    """

    def __init__(self, millrace: Any, file: Path) -> None:
        super().__init__()
        self.sent = 0
        self._stopped = Event()
        self._send = partial(
            millrace, "produce", "beacons", "--from", str(file), "--rate", str(RATE)
        )

    def run(self) -> None:
        while not self._stopped.is_set():
            self._send()
            self.sent += ROWS

    def stop(self) -> int:
        self._stopped.set()
        self.join()
        return self.sent


def test_landing_and_maintenance_at_the_same_time_neither_lose_nor_double(
    cluster: Settings,
    millrace: Any,
    query: Query,
    eventually: Eventually,
    beacons: Path,
    lake_catalog: LakeCatalog,
) -> None:
    while_landing = partial(
        millrace, "maintain", "--table", RAW, "--only", STEPS, environment=AT_ONCE
    )
    sender = Sender(millrace, beacons)
    sender.start()
    try:
        eventually(lambda: query(FILES)[0][0] >= FEWEST_FILES, 120, "there are small files")
        said = while_landing().stdout
        # Another's rewrite, which carries nothing forward.
        query("alter table iceberg.raw.beacons execute optimize")
        while_landing()
    finally:
        sent = sender.stop()
    assert " became " in said and "expired" in said
    millrace("landing", "wait", "--timeout", "120")
    broker = Broker(cluster.kafka.address)
    acknowledged = sum(broker.log_states(["beacons"])["beacons"].ends.values())
    assert acknowledged >= sent
    assert query(COUNT) == [[acknowledged, acknowledged]]
    millrace("maintain", "--table", RAW, environment=AT_ONCE)
    assert query(COUNT) == [[acknowledged, acknowledged]]
    assert query(FILES)[0][0] < FEWEST_FILES
    again = millrace("maintain", "--table", RAW, environment=AT_ONCE).stdout
    assert " became " not in again and "expired " not in again
    millrace("verify", "--dataset", "beacons", "--engines", "pyiceberg,trino")
    # What is left tells a starting driver where to go on.
    contract = load_contracts(cluster.contracts)["beacons"]
    lander = Lander(lake_catalog, [contract], broker, "test")
    lander.open()
    assert sum(lander.starts["beacons"].values()) == acknowledged


@pytest.fixture(scope="module")
def aged(lake_catalog: LakeCatalog, beacons: Path, query: Query) -> Iterator[str]:
    """A raw table on HDFS without a contract, with rows of a hundred days, and its offsets."""
    name = "raw.beacons_aged"
    query(f"drop table if exists {name}")
    like = lake_catalog.load_table(RAW)
    lake_catalog.create_table(
        name,
        like.schema(),
        location=f"hdfs://millrace/data/streaming/beacons_aged-{time.time():.0f}",
        partition_spec=like.spec(),
    )
    table = LandedTable(lake_catalog, name, "test")
    for end, days in enumerate((100, 92, 89, 0), start=1):
        table.load()
        table.append([write(table.table, name, end - 1, days)], {"beacons": Move({0: end}, "id")})
    yield name
    query(f"drop table {name}")


def write(table: Table, name: str, offset: int, days: float) -> WrittenFile:
    """A data file that no snapshot has, as a landing task leaves it before its commit."""
    writer = TableWriter(name, table.metadata, table.io)
    at = datetime.now(UTC) - timedelta(days=days)
    row = {"device_id": "d", "kafka_topic": "beacons", "kafka_partition": 0, "kafka_offset": offset}
    row |= {"kafka_at": at, "landed_at": at}
    writer.write(pa.Table.from_pylist([row], schema=writer.arrow_schema))
    (file,) = writer.close()
    return file


def set_age(table: Table, path: str, hours: float) -> None:
    """Say that a file on HDFS was last written so many hours ago."""
    files = table.io.get_fs("hdfs")  # type: ignore[attr-defined]
    then = int((time.time() - hours * 3600) * 1000)
    place = files._strip_protocol(path)
    files._call("SETTIMES", method="put", path=place, modificationtime=then, accesstime=-1)


def test_old_days_of_a_raw_table_go_whole_and_its_offsets_stay(
    millrace: Any, query: Query, lake_catalog: LakeCatalog, aged: str
) -> None:
    said = millrace("maintain", "--table", aged, "--only", "retention", "--dry-run").stdout
    assert "2 files with 2 rows" in said
    millrace("maintain", "--table", aged, "--only", "retention")
    assert query(f"select kafka_offset from {aged} order by 1") == [[2], [3]]
    known = recorded(lake_catalog.load_table(aged))
    assert known is not None
    assert known["beacons"].ends == {0: 4}


def test_an_old_orphan_goes_and_the_file_of_a_running_batch_stays(
    millrace: Any, query: Query, lake_catalog: LakeCatalog, aged: str
) -> None:
    table = lake_catalog.load_table(aged)
    old, young = write(table, aged, 8, 0), write(table, aged, 4, 0)
    live = next(iter(table.scan().plan_files())).file.file_path
    for path in (old.path, live):
        set_age(table, path, 100)
    said = millrace("maintain", "--table", aged, "--only", "orphans", "--dry-run").stdout
    assert f"1 file with {old.size_bytes / 1000:.1f} kB older than 72 h" in said
    millrace("maintain", "--table", aged, "--only", "orphans")
    assert not table.io.new_input(old.path).exists()
    assert table.io.new_input(live).exists()
    # The batch commits what it wrote.
    landed = LandedTable(lake_catalog, aged, "test")
    landed.load()
    landed.append([young], {"beacons": Move({0: 5}, "id")})
    assert query(f"select kafka_offset from {aged} order by 1") == [[2], [3], [4]]


@pytest.fixture
def clicks(query: Query) -> Iterator[str]:
    """A table on the object store that no contract describes, with an old file and a mixed one."""
    name = "marts.maintained_clicks"
    query(f"drop table if exists {name}")
    query(
        f"create table {name} (id integer, clicked_at timestamp(6) with time zone) with ("
        "extra_properties = map_from_entries("
        "array[row('millrace.retention-column', 'clicked_at')]))"
    )
    for ids in ("(1, 400), (2, 370)", "(3, 366), (4, 364), (5, 1)"):
        query(
            f"insert into {name} select id, current_timestamp - days * interval '1' day"
            f" from (values {ids}) as made (id, days)"
        )
    yield name
    query(f"drop table {name}")


def test_old_rows_go_from_the_object_store_and_young_ones_stay(
    millrace: Any, query: Query, clicks: str
) -> None:
    said = millrace("maintain", "--table", clicks, "--only", "retention", "--dry-run").stdout
    assert "1 file with 2 rows" in said
    assert "1 row of 1 file with 3 rows" in said
    millrace("maintain", "--table", clicks, "--only", "retention")
    assert query(f"select id from {clicks} order by 1") == [[4], [5]]
    # Trino reads the manifests of what was written anew.
    assert query('select count(*) from marts."maintained_clicks$entries"')[0][0] > 0
    said = millrace("maintain", "--table", clicks, "--only", "retention").stdout
    assert "removed" not in said


def test_the_plan_of_every_table_is_shown_and_changes_none(millrace: Any, query: Query) -> None:
    snapshots = 'select count(*) from raw."quarantine$snapshots"'
    before = query(snapshots)
    said = millrace("maintain", "--dry-run").stdout
    assert "raw.quarantine" in said
    assert query(snapshots) == before
