"""Producers and the broker: what the ledger says is what the topic holds."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from millrace.settings import Settings
from millrace_producers.ledger import Counts, read_ledger, read_run, summarise

#: Older than every state in the sample, so that processing prefers the sample's.
LOCATION = "L001,Here,Here,DE,store,2020-01-01,2020-01-01T00:00:00Z\n"
PRODUCER = """
    import sys
    from pathlib import Path
    from millrace.settings import load
    from millrace_producers.client import make_producer
    from millrace_producers.ledger import Ledger
    from millrace_producers.publisher import Outgoing, Publisher

    topic, folder, number = sys.argv[1], Path(sys.argv[2]), 0
    publisher = Publisher(make_producer(load()), Ledger(folder))
    while True:
        values = [f"record {number + index}".encode() for index in range(200)]
        number += len(values)
        publisher.send([Outgoing("scratch", topic, value, value) for value in values])
"""


@pytest.fixture
def scratch_topic(cluster: Settings) -> Iterator[str]:
    """A topic without a contract, which the lake does not see."""
    admin = KafkaAdminClient(bootstrap_servers=cluster.kafka.address)
    topic = f"scratch-{os.getpid()}"
    admin.create_topics([NewTopic(topic, num_partitions=3, replication_factor=1)])
    yield topic
    admin.delete_topics([topic])
    admin.close()


def read_all(cluster: Settings, topic: str) -> dict[tuple[int, int], bytes]:
    """Every record of a topic: (partition, offset) to value."""
    consumer = KafkaConsumer(bootstrap_servers=cluster.kafka.address, consumer_timeout_ms=5_000)
    partitions = [TopicPartition(topic, number) for number in range(3)]
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    left = sum(consumer.end_offsets(partitions).values())
    found = {}
    while left:
        message = next(consumer)
        found[message.partition, message.offset] = message.value
        left -= 1
    consumer.close()
    return found


def test_a_csv_file_reaches_its_topic_where_the_ledger_says(
    cluster: Settings, millrace: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    file = tmp_path / "here.csv"
    file.write_text(f"location_id,name,city,country,kind,opened_date,updated_at\n{LOCATION}")
    said = millrace("produce", "locations", "--from", str(file)).stdout
    run = Path(said.split("ledger: ")[1].strip())
    (entry,) = read_run(run)
    assert entry.state == "acknowledged"
    seen = millrace("consume", "locations", "--newest", "--max", "30").stdout.splitlines()
    records = {(r["partition"], r["offset"]): r for r in map(json.loads, seen)}
    record = records[entry.partition, entry.offset]
    assert record["key"] == "L001"
    assert record["value"]["updated_at"] == "2020-01-01T00:00:00Z"


def test_a_producer_killed_while_sending_leaves_no_record_without_a_line(
    cluster: Settings, scratch_topic: str, tmp_path: Path
) -> None:
    producer = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PRODUCER), scratch_topic, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        deadline = time.monotonic() + 60
        while summarise(tmp_path).get("scratch", Counts()).acknowledged < 5_000:
            assert producer.poll() is None, "the producer ended by itself"
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        producer.send_signal(signal.SIGKILL)
        producer.wait()
    entries = list(read_ledger(tmp_path))
    topic = read_all(cluster, scratch_topic)
    digests = {place: hashlib.sha256(value).hexdigest() for place, value in topic.items()}
    assert set(digests.values()) <= {entry.sha256 for entry in entries}
    acknowledged = [entry for entry in entries if entry.state == "acknowledged"]
    assert all(digests[e.partition, e.offset] == e.sha256 for e in acknowledged)
    assert len(acknowledged) <= len(topic) <= len(entries)
    assert {entry.state for entry in entries} <= {"acknowledged", "unknown"}
