"""One dataset landed by this process: the real driver, sift, stores and broker, without Spark."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from confluent_kafka import Producer
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import TopicAlreadyExistsError

from millrace.contracts.model import Contract
from millrace.lake import catalog, io_properties
from millrace.lake.commit import commit_append
from millrace.lake.io import LakeFileIO
from millrace.landing.broker import Broker
from millrace.landing.lander import Lander
from millrace.landing.positions import Ranges, span
from millrace.landing.schemas import Registry
from millrace.landing.sift import RECORD_SCHEMA, sift_batches
from millrace.settings import Settings

CONTRACT = """apiVersion: v3.1.0
kind: DataContract
id: {dataset}
version: 1.0.0
status: active
description:
  purpose: Pages whose landing is damaged.
team:
  name: tests
schema:
  - name: {dataset}
    physicalName: {topic}
    physicalType: topic
    properties:
      - name: page
        logicalType: string
        required: true
        description: Which page.
customProperties:
  - property: format
    value: json
  - property: topicPartitions
    value: 2
"""
#: Of which everything is in partition 0, unless a test says otherwise.
PARTITIONS = 2


class PlainLanding:
    """A dataset's topic and tables, and drivers that land it."""

    def __init__(self, settings: Settings, contract: Contract) -> None:
        self.settings = settings
        self.contract = contract
        self.topic = contract.topic
        self.catalog = catalog(settings)
        self.broker = Broker(settings.kafka.address)

    def producer(self, **options: Any) -> Producer:
        """A client of the broker."""
        return Producer({"bootstrap.servers": self.settings.kafka.address, **options})

    def produce(self, *values: bytes, partition: int = 0) -> None:
        """Send records and wait until the broker has them."""
        send(self.producer(), self.topic, values, partition)

    def driver(self) -> Lander:
        """A driver that has passed the gate."""
        lander = Lander(self.catalog, [self.contract], self.broker, "test")
        lander.open()
        return lander

    def land(self, lander: Lander | None = None, up_to: int | None = None) -> Lander:
        """Finish what is unfinished and land what the log has, or up to an offset."""
        lander = lander or self.driver()
        while unfinished := lander.unfinished():
            self.land_ranges(lander, unfinished[self.topic], unfinished)
        ends = self.broker.log_states([self.topic])[self.topic].ends
        if up_to is not None:
            ends = {partition: min(end, up_to) for partition, end in ends.items()}
        self.land_ranges(lander, span(lander.starts[self.topic], ends))
        return lander

    def land_ranges(
        self, lander: Lander, ranges: Ranges, unfinished: Mapping[str, Ranges] | None = None
    ) -> None:
        """Read, sift and commit the records of the ranges."""
        io = LakeFileIO(io_properties(self.settings))
        registry = Registry(self.settings.registry.url)
        files = list(sift_batches([self.read(ranges)], lander.job(unfinished), registry, io))
        lander.commit({self.topic: ranges}, files)

    def read(self, ranges: Ranges) -> pa.RecordBatch:
        """The committed records of the ranges, as Spark's source gives them."""
        consumer = KafkaConsumer(
            bootstrap_servers=self.settings.kafka.address,
            isolation_level="read_committed",
            group_id=None,
        )
        places = {TopicPartition(self.topic, part): each for part, each in ranges.items()}
        rows: list[dict[str, Any]] = []
        try:
            consumer.assign(list(places))
            for place, (start, _) in places.items():
                consumer.seek(place, start)
            while any(consumer.position(place) < end for place, (_, end) in places.items()):
                for place, records in consumer.poll(timeout_ms=500).items():
                    rows += [row(each) for each in records if each.offset < places[place][1]]
        finally:
            consumer.close()
        return pa.RecordBatch.from_pylist(rows, schema=RECORD_SCHEMA)

    def landed(self, table: str | None = None) -> list[tuple[int, int]]:
        """(partition, offset) of the rows of the raw table, or of another's, sorted."""
        columns = ("kafka_partition", "kafka_offset")
        found = self.catalog.load_table(table or self.contract.raw_table).scan(
            row_filter=f"kafka_topic = '{self.topic}'", selected_fields=columns
        )
        rows = found.to_arrow()
        return sorted(zip(*(rows[name].to_pylist() for name in columns), strict=True))

    def lose_offsets(self) -> None:
        """A foreign commit to the raw table, and an expiry of all snapshots behind it."""
        table = self.catalog.load_table(self.contract.raw_table)
        at = table.metadata.current_snapshot_id
        table = commit_append(self.catalog, table, [], {}, at)
        for snapshot in table.snapshots():
            if snapshot.snapshot_id != table.metadata.current_snapshot_id:
                table = self.catalog.load_table(self.contract.raw_table)
                table.maintenance.expire_snapshots().by_id(snapshot.snapshot_id).commit()

    def keep_records_for(self, seconds: int) -> None:
        """Set the topic's retention."""
        changed = {"retention.ms": str(seconds * 1000)}
        admin = KafkaAdminClient(bootstrap_servers=self.settings.kafka.address)
        try:
            topic = ConfigResource(ConfigResourceType.TOPIC, self.topic, changed)
            admin.alter_configs([topic])
        finally:
            admin.close()

    def make_topic_anew(self) -> None:
        """Delete the topic and create it again, as empty as it was at first."""
        admin = KafkaAdminClient(bootstrap_servers=self.settings.kafka.address)
        try:
            admin.delete_topics([self.topic])
            while self.topic in self.broker.topic_ids([self.topic]):
                pass
            create_topic(admin, self.topic)
        finally:
            admin.close()

    def delete_records(self, before: int) -> None:
        """What retention does: the records of partition 0 before an offset are gone."""
        admin = KafkaAdminClient(bootstrap_servers=self.settings.kafka.address)
        try:
            admin.delete_records({TopicPartition(self.topic, 0): before})
        finally:
            admin.close()


def create_topic(admin: Any, topic: str) -> None:
    """Create the topic as a contract's is; the broker may still be deleting the old one."""
    settings = {"message.timestamp.type": "LogAppendTime"}
    wanted = {"num_partitions": PARTITIONS, "replication_factor": 1, "configs": settings}
    while True:
        try:
            admin.create_topics({topic: wanted}, wait_for_metadata=True)
        except TopicAlreadyExistsError:
            continue
        return


def send(producer: Producer, topic: str, values: Iterable[bytes], partition: int = 0) -> None:
    """Send records and wait until the broker has them, in a transaction or outside."""
    failed: list[Any] = []

    def tell(error: Any, _: Any) -> None:
        if error is not None:
            failed.append(error)

    for value in values:
        producer.produce(topic, value, partition=partition, on_delivery=tell)
    assert producer.flush(30) == 0
    assert not failed, failed


def row(record: Any) -> dict[str, Any]:
    """A record with the columns of `RECORD_SCHEMA`."""
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp * 1000,
        "key": record.key,
        "value": record.value,
        "headers": [{"key": key, "value": value} for key, value in record.headers or ()],
    }


def write_contract(folder: Path, name: str) -> Path:
    """A dataset `hole_NAME`; its topic is another one in each run of the tests on a cluster."""
    file = folder / f"hole_{name}.yaml"
    topic = f"holes.{name}-{secrets.token_hex(3)}"
    file.write_text(CONTRACT.format(dataset=f"hole_{name}", topic=topic))
    return file


def at(*offsets: int) -> list[tuple[int, int]]:
    """Those offsets of partition 0."""
    return [(0, offset) for offset in offsets]
