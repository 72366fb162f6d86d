"""`python -m millrace.bench.plain_loop`: a topic of JSON into a table in forty lines of Python.

What one writes without a platform: consume a batch, parse it, append it, commit the offsets to the
broker. It ends when it has seen the topic's end. Killed between append and commit it doubles rows.
"""

from __future__ import annotations

import argparse
import io

import pyarrow as pa
import pyarrow.json
from confluent_kafka import Consumer, Message, TopicPartition
from pyiceberg.io.pyarrow import schema_to_pyarrow

from millrace.bench.contestant import SCHEMA
from millrace.errors import MillraceError
from millrace.lake import catalog
from millrace.settings import load

FETCH = 10_000
POLL_S = 1.0
ANSWER_S = 30.0


def drain(topic: str, table_name: str, batch: int) -> None:
    """Append what the topic holds now, so many records a commit."""
    settings = load()
    consumer = Consumer(
        {
            "bootstrap.servers": settings.kafka.address,
            "group.id": "bench-plain-loop",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    table = catalog(settings).load_table(table_name)
    schema = schema_to_pyarrow(SCHEMA, include_field_ids=False)
    left = _records(consumer, topic)
    while left:
        messages = _take(consumer, min(batch, left))
        lines = io.BytesIO(b"\n".join(message.value() or b"" for message in messages))
        options = pa.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error")
        table.append(pa.json.read_json(lines, parse_options=options))
        consumer.commit(asynchronous=False)
        left -= len(messages)
    consumer.close()


def _records(consumer: Consumer, topic: str) -> int:
    """How many records the topic holds; the consumer is at its beginning."""
    partitions = consumer.list_topics(topic, timeout=ANSWER_S).topics[topic].partitions
    places = [TopicPartition(topic, each, 0) for each in partitions]
    bounds = [consumer.get_watermark_offsets(each, timeout=ANSWER_S) for each in places]
    consumer.assign(
        [
            TopicPartition(topic, each.partition, low[0])
            for each, low in zip(places, bounds, strict=True)
        ]
    )
    return sum(high - low for low, high in bounds)


def _take(consumer: Consumer, most: int) -> list[Message]:
    """So many records, less only where fewer are left."""
    found: list[Message] = []
    while len(found) < most:
        for message in consumer.consume(min(FETCH, most - len(found)), timeout=POLL_S):
            if error := message.error():
                raise MillraceError("the broker", error.str(), "make logs SERVICE=kafka")
            found.append(message)
    return found


def main() -> None:
    """Drain the topic that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--table", required=True)
    parser.add_argument("--batch", type=int, required=True)
    options = parser.parse_args()
    drain(options.topic, options.table, options.batch)


if __name__ == "__main__":
    main()
