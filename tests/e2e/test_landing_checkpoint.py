"""Spark's checkpoint folder is thrown away without a loss: the table is the checkpoint."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from millrace.cluster.strays import members
from millrace.contracts import load_contracts
from millrace.dist.classes import can_be_kept
from millrace.lake.io import LakeWebHdfs, hdfs
from millrace.landing.control import FOLDER, Control
from millrace.landing.yarn import Yarn
from millrace.settings import Settings
from tests.e2e.plain_landing import PlainLanding, at, send, write_contract

GOOD = b'{"page": "p"}'
DRIVER_AND_EXECUTOR = 2


@pytest.fixture(scope="module")
def streamed(cluster: Settings, millrace: Any) -> Iterator[PlainLanding]:
    """A dataset that the landing application lands, by Spark: two records of it."""
    file = write_contract(cluster.contracts, "streamed")
    millrace("landing", "start")
    millrace("apply")
    landing = PlainLanding(cluster, load_contracts(cluster.contracts)["hole_streamed"])
    producer = landing.producer(**{"transactional.id": "streamed"})
    producer.init_transactions()
    for end in (producer.commit_transaction, producer.abort_transaction):
        producer.begin_transaction()
        send(producer, landing.topic, [GOOD, GOOD])  # and a marker: the next offset is 6
        end()
    millrace("landing", "wait", "--timeout", "240")
    yield landing
    file.unlink()


def folders(store: LakeWebHdfs) -> list[str]:
    """The checkpoint folders that are there."""
    return [each["name"] for each in store.ls(FOLDER, detail=True) if each["type"] == "directory"]


@pytest.mark.native
def test_driver_and_executor_start_from_the_archive_of_their_classes(
    cluster: Settings, streamed: PlainLanding, landing_application: Callable[[], dict[str, Any]]
) -> None:
    """Java goes on where an archive does not fit; then it is not in its memory."""
    archive = cluster.dist / "spark-classes" / "spark.jsa"
    assert archive.exists() == can_be_kept(cluster.dist / "java17")
    application = landing_application()["id"]
    found = [each.process for each in members(cluster.home) if each.application == application]
    java = [process for process in found if process.name() == "java"]
    assert len(java) == DRIVER_AND_EXECUTOR
    for process in java:
        mapped = {each.path for each in process.memory_maps()}
        assert (str(archive.resolve()) in mapped) == archive.exists()


def test_spark_lands_on_when_its_checkpoint_is_deleted_under_the_running_query(
    cluster: Settings, millrace: Any, streamed: PlainLanding, eventually: Any
) -> None:
    store = store_of(cluster)
    (lost,) = folders(store)
    store.rm(lost, recursive=True)
    streamed.produce(GOOD)
    millrace("landing", "wait", "--timeout", "240")
    assert streamed.landed() == at(0, 1, 6)
    eventually(lambda: lost not in folders(store), 60, "another checkpoint is used")


def test_an_older_checkpoint_lands_nothing_again_and_lost_offsets_are_rebuilt_by_command(
    cluster: Settings, millrace: Any, streamed: PlainLanding, eventually: Any
) -> None:
    """Of the running application, which ends; one start for both, which takes most of the time."""
    store = store_of(cluster)
    (old,) = folders(store)
    saved: dict[str, bytes] = {}

    def save() -> bool:
        """Copy the folder; a file that the query renames meanwhile begins it anew."""
        saved.update({path: store.cat_file(path) for path in store.find(old)})
        return bool(saved)

    eventually(save, 30, "the checkpoint is copied")
    streamed.produce(GOOD)
    millrace("landing", "wait", "--timeout", "240")
    before = streamed.landed()
    assert "is running" in millrace("landing", "rebuild", "--yes", expect=1).stderr
    streamed.lose_offsets()
    streamed.produce(GOOD)
    eventually(lambda: not Yarn(cluster).landing(), 120, "landing ends by itself")
    state = Control(cluster).state()
    assert state is not None and state.state == "failed"
    assert "table raw.hole_streamed: no kept snapshot tells" in state.detail
    for folder in folders(store):
        store.rm(folder, recursive=True)
    for path, content in saved.items():
        store.pipe_file(path, content)
    refused = millrace("landing", "start", expect=1).stderr
    assert "table raw.hole_streamed: no kept snapshot tells" in refused
    assert "bin/millrace landing rebuild" in refused
    told = millrace("landing", "rebuild", "--dry-run").stdout
    end = before[-1][1] + 1
    assert f"{streamed.topic} partition 0: landed up to {end} (recorded: nothing)" in told
    millrace("landing", "rebuild", "--yes")
    millrace("landing", "start")
    millrace("landing", "wait", "--timeout", "240")
    (last,) = set(streamed.landed()) - set(before)
    assert streamed.landed() == [*before, last]
    told = json.loads(millrace("landing", "status", "--json").stdout)
    (topic,) = [each for each in told["topics"] if each["dataset"] == "hole_streamed"]
    assert (topic["behind"], topic["problems"]) == (0, [])


def store_of(settings: Settings) -> LakeWebHdfs:
    """HDFS, where the application keeps its checkpoint."""
    return hdfs(settings.namenode.web_url, "millrace", settings.datanode.redirects)
