"""Spark's checkpoint folder is thrown away without a loss: the table is the checkpoint."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from millrace.contracts import load_contracts
from millrace.landing.control import FOLDER, Control
from millrace.settings import Settings
from tests.e2e.plain_landing import PlainLanding, at, send, write_contract

GOOD = b'{"page": "p"}'


@pytest.fixture
def streamed(cluster: Settings, millrace: Any) -> Iterator[PlainLanding]:
    """A dataset that the landing application lands, by Spark."""
    file = write_contract(cluster.contracts, "streamed")
    millrace("landing", "start")
    millrace("apply")
    yield PlainLanding(cluster, load_contracts(cluster.contracts)["hole_streamed"])
    file.unlink()
    millrace("landing", "start")


def test_spark_lands_once_whatever_becomes_of_its_checkpoint(
    cluster: Settings, millrace: Any, streamed: PlainLanding
) -> None:
    """It is deleted under the running query, and an older one is there at the next start."""
    store = Control(cluster)._hdfs
    producer = streamed.producer(**{"transactional.id": "streamed"})
    producer.init_transactions()
    for end in (producer.commit_transaction, producer.abort_transaction):
        producer.begin_transaction()
        send(producer, streamed.topic, [GOOD, GOOD])
        end()
    millrace("landing", "wait", "--timeout", "180")
    (old,) = [each["name"] for each in store.ls(FOLDER, detail=True) if each["type"] == "directory"]
    saved = {path: store.cat_file(path) for path in store.find(old)}

    store.rm(old, recursive=True)
    streamed.produce(GOOD)
    millrace("landing", "wait", "--timeout", "180")
    assert streamed.landed() == at(0, 1, 6)

    millrace("landing", "stop")
    for entry in store.ls(FOLDER, detail=True):
        if entry["type"] == "directory":
            store.rm(entry["name"], recursive=True)
    for path, content in saved.items():
        store.pipe_file(path, content)
    streamed.produce(GOOD)
    millrace("landing", "start")
    millrace("landing", "wait", "--timeout", "180")
    assert streamed.landed() == at(0, 1, 6, 7)
    told = json.loads(millrace("landing", "status", "--json", "--strict").stdout)
    assert told["lag"]["hole_streamed"] == 0
