"""The plain client: look into a topic with kafka-python, as any program of a user would.

Reads without a consumer group, so that looking leaves no trace on the broker.
"""

from __future__ import annotations

import base64
import io
import json
import logging
import socket
from collections.abc import Iterator
from typing import Any

import fastavro
from confluent_kafka.schema_registry import SchemaRegistryClient
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from millrace.errors import MillraceError, TransientError
from millrace.settings import Settings
from millrace_producers import client
from millrace_producers.encoding import to_json

MAGIC = 0
HEADER_BYTES = 5
#: No record for so long means that the end was not where the broker said, or it went away.
SILENT_MS = 10_000


def make_consumer(settings: Settings) -> KafkaConsumer:
    """A consumer without a group.

    Raises:
        TransientError: the broker does not answer.
    """
    # kafka-python tells its log of every try to connect; the error below says it once.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    try:
        # A consumer that can not connect leaves its sockets open: look before.
        address = (settings.kafka.host, settings.kafka.port)
        socket.create_connection(address, client.ANSWER_SECONDS).close()
        return KafkaConsumer(
            bootstrap_servers=settings.kafka.address,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            consumer_timeout_ms=SILENT_MS,
            bootstrap_timeout_ms=client.ANSWER_SECONDS * 1000,
        )
    except (KafkaError, OSError) as error:
        raise client.broker_down(settings, str(error)) from error


def topic_ends(consumer: KafkaConsumer, topic: str) -> dict[int, tuple[int, int]]:
    """First offset and end offset of each partition.

    Raises:
        MillraceError: there is no such topic.
    """
    numbers = consumer.partitions_for_topic(topic)
    if not numbers:
        known = ", ".join(sorted(consumer.topics())) or "none"
        raise MillraceError(
            f"topic {topic}", f"there is no such topic; there are: {known}", "make apply"
        )
    partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
    first = consumer.beginning_offsets(partitions)
    end = consumer.end_offsets(partitions)
    return {each.partition: (first[each], end[each]) for each in partitions}


def read_topic(
    settings: Settings, topic: str, most: int, *, newest: bool = False
) -> Iterator[dict[str, Any]]:
    """Records of a topic, decoded, from its beginning or the newest ones.

    Yields:
        Partition, offset, time (epoch milliseconds), key, and `value`; or `base64` and `problem`
        where the value can not be decoded.
    """
    consumer = make_consumer(settings)
    try:
        ends = topic_ends(consumer, topic)
        waiting = {number: end for number, (first, end) in ends.items() if end > first}
        consumer.assign([TopicPartition(topic, number) for number in waiting])
        for number in waiting:
            first, end = ends[number]
            share = -(-most // len(waiting))
            start = max(first, end - share) if newest else first
            consumer.seek(TopicPartition(topic, number), start)
        decode = ValueDecoder(client.make_registry(settings))
        seen = 0
        while waiting and seen < most:
            message = next(consumer, None)
            if message is None:
                if _are_read(consumer, topic, waiting):
                    return
                raise client.broker_down(settings, f"{SILENT_MS} ms without a record")
            if message.offset + 1 >= waiting.get(message.partition, 0):
                waiting.pop(message.partition, None)
            seen += 1
            yield {
                "partition": message.partition,
                "offset": message.offset,
                "time": message.timestamp,
                "key": None if message.key is None else message.key.decode(errors="replace"),
                **decode(message.value),
            }
    finally:
        consumer.close()


def _are_read(consumer: KafkaConsumer, topic: str, ends: dict[int, int]) -> bool:
    """Whether only marks of transactions are left, which a client passes over in silence."""
    places = {number: TopicPartition(topic, number) for number in ends}
    return all(consumer.position(place) >= ends[number] for number, place in places.items())


class ValueDecoder:
    """Bytes of a value to what people can read: Avro in the registry's envelope, or JSON."""

    def __init__(self, registry: SchemaRegistryClient) -> None:
        self._registry = registry
        self._schemas: dict[int, Any] = {}

    def __call__(self, value: bytes | None) -> dict[str, Any]:
        """`value`, or `base64` and `problem`."""
        if value is None:
            return {"value": None}
        try:
            if value[:1] != bytes([MAGIC]):
                return {"value": json.loads(value), "problem": "not framed"}
            schema = self._schema(int.from_bytes(value[1:HEADER_BYTES], "big"))
            return {"value": fastavro.schemaless_reader(io.BytesIO(value[HEADER_BYTES:]), schema)}
        except TransientError:
            raise
        except Exception as error:  # garbage raises whatever its bytes happen to mean
            problem = f"{type(error).__name__}: {error}"
            return {"base64": base64.b64encode(value).decode(), "problem": problem}

    def _schema(self, schema_id: int) -> Any:
        if schema_id not in self._schemas:
            text = self._registry.get_schema(schema_id).schema_str
            self._schemas[schema_id] = fastavro.parse_schema(json.loads(text or "null"))
        return self._schemas[schema_id]


def show(record: dict[str, Any]) -> str:
    """One line of JSON."""
    return to_json(record)
