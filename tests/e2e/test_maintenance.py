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

from millrace.contracts import load_contracts
from millrace.lake import LakeCatalog, catalog
from millrace.lake.commit import commit_append
from millrace.lake.offsets import recorded
from millrace.landing.broker import Broker
from millrace.landing.lander import Lander
from millrace.landing.writer import TableWriter, WrittenFile
from millrace.maintenance.compact import FEWEST_FILES
from millrace.maintenance.lake import Lake
from millrace.maintenance.run import maintain
from millrace.maintenance.trino import TrinoEngine
from millrace.settings import Settings

Query = Callable[[str], list[list[Any]]]
Eventually = Callable[[Callable[[], bool], float, str], None]
#: A dataset without a key: no processed table has to read it before its rows may go.
PINGS = """apiVersion: v3.2.0
kind: DataContract
id: pings
version: 1.0.0
status: active
description:
  purpose: Signs of life of a device.
team:
  name: facilities
schema:
  - name: pings
    properties:
      - name: device_id
        logicalType: string
        required: true
        description: Which device.
"""
RAW = "raw.pings"
#: Of one sending; it takes five seconds, two batches of landing or three.
ROWS, RATE = 100, 20
STEPS = "compact,manifests,expire"
#: A table of these tests alone may lose its snapshots at once.
AT_ONCE = {"MILLRACE_MAINTENANCE__LONGEST_JOB_HOURS": "0"}
COUNT = f"select count(*), count(distinct (kafka_partition, kafka_offset)) from {RAW}"
FILES = 'select count(*) from raw."pings$files"'


@pytest.fixture(scope="module")
def lake_catalog(cluster: Settings) -> LakeCatalog:
    return catalog(cluster)


@pytest.fixture(scope="module")
def pings(cluster: Settings, millrace: Any, tmp_path_factory: Any) -> Path:
    """A file of records of the dataset, which is applied and landed."""
    (cluster.contracts / "pings.yaml").write_text(PINGS)
    millrace("apply")
    millrace("landing", "start")
    file: Path = tmp_path_factory.mktemp("pings") / "pings.csv"
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
        self._send = partial(millrace, "produce", "pings", "--from", str(file), "--rate", str(RATE))

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
    pings: Path,
    lake_catalog: LakeCatalog,
) -> None:
    while_landing = partial(
        millrace, "maintain", "--table", RAW, "--only", STEPS, environment=AT_ONCE
    )
    sender = Sender(millrace, pings)
    sender.start()
    try:
        eventually(lambda: query(FILES)[0][0] >= FEWEST_FILES, 120, "there are small files")
        said = while_landing().stdout
        # Another's rewrite, which carries nothing forward.
        query("alter table iceberg.raw.pings execute optimize")
        while_landing()
    finally:
        sent = sender.stop()
    assert " became " in said and "expired" in said
    millrace("landing", "wait", "--timeout", "120")
    broker = Broker(cluster.kafka.address)
    acknowledged = sum(broker.log_states(["pings"])["pings"].ends.values())
    assert acknowledged >= sent
    assert query(COUNT) == [[acknowledged, acknowledged]]
    millrace("maintain", "--table", RAW, environment=AT_ONCE)
    assert query(COUNT) == [[acknowledged, acknowledged]]
    assert query(FILES)[0][0] < FEWEST_FILES
    again = millrace("maintain", "--table", RAW, environment=AT_ONCE).stdout
    assert " became " not in again and "expired " not in again
    # What is left tells a starting driver where to go on.
    contract = load_contracts(cluster.contracts)["pings"]
    lander = Lander(lake_catalog, [contract], broker, "test")
    lander.open()
    assert sum(lander.starts["pings"].values()) == acknowledged


def write(catalog: LakeCatalog, rows: int) -> WrittenFile:
    """A data file that no snapshot has, as a landing task leaves it before its commit."""
    table = catalog.load_table(RAW)
    writer = TableWriter(RAW, table.metadata, table.io)
    now = datetime.now(UTC)
    ahead = [
        {
            "device_id": "x",
            "kafka_topic": "pings",
            "kafka_partition": 9,
            "kafka_offset": n,
            "kafka_at": now,
            "landed_at": now,
        }
        for n in range(rows)
    ]
    writer.write(pa.Table.from_pylist(ahead, schema=writer.arrow_schema))
    return writer.close()[0]


def set_age(catalog: LakeCatalog, path: str, hours: float) -> None:
    """Say that a file on HDFS was last written so many hours ago."""
    files = catalog.load_table(RAW).io.get_fs("hdfs")  # type: ignore[attr-defined]
    then = int((time.time() - hours * 3600) * 1000)
    place = files._strip_protocol(path)
    files._call("SETTIMES", method="put", path=place, modificationtime=then, accesstime=-1)


def test_an_old_orphan_goes_and_the_file_of_a_running_batch_stays(
    cluster: Settings, millrace: Any, query: Query, pings: Path, lake_catalog: LakeCatalog
) -> None:
    old, young = write(lake_catalog, 3), write(lake_catalog, 2)
    set_age(lake_catalog, old.path, 100)
    live = query('select file_path from raw."pings$files" limit 1')[0][0]
    set_age(lake_catalog, live, 100)
    said = millrace("maintain", "--table", RAW, "--only", "orphans", "--dry-run").stdout
    assert f"1 file with {old.size_bytes / 1000:.1f} kB older than 72 h" in said
    millrace("maintain", "--table", RAW, "--only", "orphans")
    io = lake_catalog.load_table(RAW).io
    assert not io.new_input(old.path).exists()
    assert io.new_input(live).exists()
    # The batch commits what it wrote.
    before = query(COUNT)[0][0]
    table = lake_catalog.load_table(RAW)
    at = table.metadata.current_snapshot_id
    commit_append(lake_catalog, table, [young.data_file()], {}, at)
    assert query(COUNT) == [[before + 2, before + 2]]


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


def test_old_days_of_a_landed_table_go_whole_and_landing_goes_on(
    cluster: Settings, millrace: Any, query: Query, pings: Path, lake_catalog: LakeCatalog
) -> None:
    """Seen from a hundred days later every row is old."""
    engine = TrinoEngine(cluster, print)
    later = datetime.now(UTC) + timedelta(days=100)
    contracts = load_contracts(cluster.contracts)
    lake = Lake(lake_catalog, contracts, cluster.maintenance, engine, later)
    landed = recorded(lake_catalog.load_table(RAW))
    assert landed is not None
    locks = cluster.home / "maintenance"
    assert not maintain(lake, locks, print, [RAW], ["retention"])
    assert query(COUNT) == [[0, 0]]
    known = recorded(lake_catalog.load_table(RAW))
    assert known is not None
    assert known["pings"].ends == landed["pings"].ends
    millrace("produce", "pings", "--from", str(pings), "--limit", "10")
    millrace("landing", "wait", "--timeout", "120")
    assert query(COUNT) == [[10, 10]]


def test_the_plan_of_every_table_is_shown_and_changes_none(millrace: Any, query: Query) -> None:
    snapshots = 'select count(*) from raw."quarantine$snapshots"'
    before = query(snapshots)
    said = millrace("maintain", "--dry-run").stdout
    assert "raw.quarantine" in said
    assert query(snapshots) == before
