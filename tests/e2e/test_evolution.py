"""A contract changes while its topic is landed, and records of all its versions are one table.

One dataset of its own, one partition, the stream that is running. What would break a reader is
refused three ways, each before a record is written: the plan, our producer, the registry itself.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro
import pytest
import requests
import yaml
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext
from kafka import KafkaConsumer, TopicPartition

from millrace.contracts import Contract, load_contract
from millrace.lake import catalog
from millrace.settings import Settings
from millrace_producers import client
from millrace_producers.ledger import Ledger
from millrace_producers.publisher import Outgoing, Publisher

Query = Callable[[str], list[list[Any]]]

TOPIC = "parcels"


def field(name: str, kind: str, stored: str | None = None, **more: Any) -> dict[str, Any]:
    given = {"physicalType": stored} if stored else {}
    return {"name": name, "logicalType": kind, **given, **more}


def aliases(*names: str) -> dict[str, Any]:
    return {"customProperties": [{"property": "aliases", "value": list(names)}]}


ID = field("parcel_id", "string", required=True)
PLACE = field("place", "string", required=True)
NOTE = field("note", "string")
NARROW = [field("kilos", "number", "float"), field("fee", "number", "decimal(9,2)")]
WIDE = [
    field("steps", "integer", "long"),
    field("kilos", "number", "double"),
    field("fee", "number", "decimal(12,2)"),
]
#: The fields of each version, by the number of the version.
VERSIONS: dict[int, list[dict[str, Any]]] = {
    1: [ID, PLACE, field("steps", "integer", "int", required=True), *NARROW],
    # One field more, and one that needs no value any more.
    2: [ID, PLACE, field("steps", "integer", "int"), *NARROW, NOTE],
    # Three wider.
    3: [ID, PLACE, *WIDE, NOTE],
    # One under another name.
    4: [ID, field("depot", "string", required=True, **aliases("place")), *WIDE, NOTE],
}
#: What breaks readers of the first version, each in its own way.
BREAKING = [
    ID,
    field("depot", "string", required=True),
    field("steps", "string", required=True),
    *NARROW,
]
EXPLAINED = """\
    steps: int -> string
      breaks landing, replay and every reader by the new schema: records in the topic hold int, \
which is no string (BACKWARD)
      instead: give steps its type int back in contracts/parcels.yaml, or add a field of another \
name
"""
#: A record of each version, without its id; what only a wider type holds is in the third.
RECORDS: dict[int, dict[str, Any]] = {
    1: {"place": "north", "steps": 1, "kilos": 0.5, "fee": Decimal("1.25")},
    2: {"place": "east", "steps": None, "kilos": 1.5, "fee": None, "note": "fragile"},
    3: {
        "place": "south",
        "steps": 2**40,
        "kilos": 0.1,
        "fee": Decimal("1234567890.25"),
        "note": None,
    },
    4: {"depot": "west", "steps": 4, "kilos": None, "fee": None, "note": "late"},
}


@dataclass
class Parcels:
    """The dataset, its contract's versions as they were applied, and a way to write by each."""

    settings: Settings
    millrace: Any
    written: dict[int, tuple[Contract, int]]

    @property
    def file(self) -> Path:
        return self.settings.contracts / "parcels.yaml"

    def write(self, fields: list[dict[str, Any]], version: str) -> Contract:
        contract = {
            "apiVersion": "v3.2.0",
            "kind": "DataContract",
            "id": "parcels",
            "version": version,
            "description": {"purpose": "Where parcels are."},
            "schema": [{"name": "parcels", "properties": fields}],
            "customProperties": [{"property": "topicPartitions", "value": 1}],
        }
        self.file.write_text(yaml.safe_dump(contract, sort_keys=False))
        return load_contract(self.file)

    def apply(self, version: int) -> str:
        contract = self.write(VERSIONS[version], f"{version}.0.0")
        said: str = self.millrace("apply").stdout
        with client.make_registry(self.settings) as registry:
            number = client.require_schema(registry, self.settings, contract)
        self.written[version] = (contract, number)
        return said

    def framed(self, version: int, name: str) -> bytes:
        contract, number = self.written[version]
        out = io.BytesIO(b"\0" + number.to_bytes(4, "big"))
        out.seek(5)
        schema = fastavro.parse_schema(contract.avro_schema())
        fastavro.schemaless_writer(out, schema, {"parcel_id": name, **RECORDS[version]})
        return out.getvalue()

    def send(self, records: Mapping[str, int]) -> None:
        """Send records, name to version, in one request of the producer."""
        batch = [
            Outgoing("parcels", TOPIC, None, self.framed(version, name))
            for name, version in records.items()
        ]
        producer = client.make_producer(self.settings, {"linger.ms": 500})
        with Publisher(producer, Ledger(self.settings.ledger)) as publisher:
            publisher.send(batch)
            publisher.finish()

    def end(self) -> int:
        """The end of the topic."""
        consumer = KafkaConsumer(bootstrap_servers=self.settings.kafka.address)
        try:
            place = TopicPartition(TOPIC, 0)
            end: int = consumer.end_offsets([place])[place]
            return end
        finally:
            consumer.close()

    def versions(self) -> int:
        """How many versions the registry has."""
        url = f"{self.settings.registry.url}{client.CONFLUENT_API}/subjects/{TOPIC}-value/versions"
        return len(requests.get(url, timeout=30).json())

    def field_id(self, column: str) -> int:
        table = catalog(self.settings).load_table("raw.parcels")
        return table.schema().find_field(column).field_id


@pytest.fixture(scope="module")
def parcels(cluster: Settings, millrace: Any) -> Parcels:
    """The dataset in its first version, with a record, while the stream runs."""
    parcels = Parcels(cluster, millrace, {})
    parcels.apply(1)
    millrace("landing", "start")
    parcels.send({"first": 1})
    # So that the stream has begun with this version.
    millrace("landing", "wait", "--timeout", "180")
    return parcels


def test_what_breaks_readers_is_refused_before_a_record_is_written(
    parcels: Parcels, millrace: Any, tmp_path: Path
) -> None:
    before = (parcels.end(), parcels.versions())
    contract = parcels.write(BREAKING, "2.0.0")
    for command in ("plan", "apply"):
        refused = millrace(command, expect=1).stderr
        assert EXPLAINED in refused
        assert "give it the custom property `aliases` with [place]" in refused
        assert "the column place is gone (if it is depot now" in refused
    rows = tmp_path / "parcels.jsonl"
    rows.write_text(json.dumps({"parcel_id": "p", "depot": "x", "steps": "one"}) + "\n")
    refused = millrace("produce", "parcels", "--from", str(rows), expect=1).stderr
    assert "schema parcels-value: nothing was sent" in refused
    assert EXPLAINED in refused

    # Any producer, by the registry's own client: it registers what it is about to write.
    record = {"parcel_id": "p", "depot": "x", "steps": "one", "kilos": None, "fee": None}
    with client.make_registry(parcels.settings) as registry:
        serializer = AvroSerializer(registry, json.dumps(contract.avro_schema()))
        with pytest.raises(SchemaRegistryError) as no:
            serializer(record, SerializationContext(TOPIC, MessageField.VALUE))
    assert no.value.http_status_code in (409, 422)
    assert (parcels.end(), parcels.versions()) == before


def test_records_of_every_version_are_one_table_under_the_newest_names(
    parcels: Parcels, millrace: Any, query: Query
) -> None:
    """Each change is applied to the running stream; the first record by it comes at once."""
    place = parcels.field_id("place")
    said = parcels.apply(2)
    assert "+ note" in said
    parcels.send({"second": 2})
    said = parcels.apply(3)
    for change in ("steps: int -> long", "kilos: float -> double", "fee: decimal(9, 2) -> "):
        assert change in said
    parcels.send({"third": 3})
    assert "place is renamed to depot" in parcels.apply(4)
    assert parcels.field_id("depot") == place
    parcels.send({"fourth": 4})
    # A producer stays with the schema it was built with, so all versions come together.
    parcels.send({f"mixed {number}": 1 + number % 4 for number in range(20)})
    assert "nothing to change" in millrace("apply").stdout
    millrace("landing", "wait", "--timeout", "180")

    rows = query("select parcel_id, depot, steps, kilos, fee, note from raw.parcels")
    versions = {"first": 1, "second": 2, "third": 3, "fourth": 4}
    versions |= {f"mixed {number}": 1 + number % 4 for number in range(20)}
    expected = []
    for name, version in versions.items():
        record = {"depot": None, "note": None, **RECORDS[version]}
        depot = record["depot"] or record["place"]
        rest = [record[column] for column in ("steps", "kilos", "fee", "note")]
        expected.append([name, depot, *rest])
    assert sorted(rows) == sorted(expected)
    assert query("select count(*) from raw.quarantine where dataset = 'parcels'") == [[0]]
    # One batch, so one file, holds all four.
    assert query(
        'select max(n) from (select count(distinct schema_id) n from raw.parcels group by "$path")'
    ) == [[4]]
