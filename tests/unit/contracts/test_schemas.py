"""The schemas that are made from a contract, each held against the library that reads it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pytest
from pyiceberg.schema import Schema

from millrace.contracts import Contract, load_contract, load_contracts
from millrace.contracts.iceberg_schema import (
    quarantine_partitioning,
    quarantine_schema,
    raw_partitioning,
)
from millrace.contracts.names import RESERVED_FIELDS

ROOT = Path(__file__).resolve().parents[3]
SHOP = load_contracts(ROOT / "contracts")
VISITS = load_contract(ROOT / "tests" / "data" / "contracts" / "visits.yaml")
EVERY = [*SHOP.values(), VISITS]

LANDING = [
    "kafka_topic",
    "kafka_partition",
    "kafka_offset",
    "kafka_at",
    "kafka_key",
    "kafka_headers",
    "is_tombstone",
    "schema_id",
    "value_sha256",
    "landed_at",
    "value",
]


def encoded(schema: dict[str, Any], record: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(schema), record)
    return buffer.getvalue()


def read_back(content: bytes, writer: dict[str, Any], reader: dict[str, Any]) -> Any:
    return fastavro.schemaless_reader(
        io.BytesIO(content), fastavro.parse_schema(writer), fastavro.parse_schema(reader)
    )


@pytest.mark.parametrize("contract", EVERY, ids=lambda contract: contract.dataset)
def test_every_contract_is_a_valid_avro_schema_in_our_namespace(contract: Contract) -> None:
    parsed = fastavro.parse_schema(contract.avro_schema())
    assert isinstance(parsed, dict)
    assert parsed["name"] == f"millrace.{contract.dataset}"


def test_an_optional_field_may_be_left_out_of_an_avro_record(folder: Path) -> None:
    schema = load_contract(folder / "visits.yaml").avro_schema()
    content = encoded(schema, {"visit_id": "a", "page": "/"})
    assert read_back(content, schema, schema) == {
        "visit_id": "a",
        "page": "/",
        "seconds": None,
        "visited_at": None,
    }


def test_a_required_field_can_not_be_left_out_of_an_avro_record(folder: Path) -> None:
    schema = load_contract(folder / "visits.yaml").avro_schema()
    with pytest.raises((ValueError, TypeError, KeyError)):
        encoded(schema, {"visit_id": "a"})


def test_a_record_from_before_a_new_field_stays_readable(folder: Path) -> None:
    path = folder / "visits.yaml"
    before = load_contract(path).avro_schema()
    path.write_text(path.read_text() + "      - {name: device, logicalType: string}\n")
    after = load_contract(path).avro_schema()
    content = encoded(before, {"visit_id": "a", "page": "/"})
    assert read_back(content, before, after)["device"] is None


@pytest.mark.parametrize("contract", EVERY, ids=lambda contract: contract.dataset)
def test_a_raw_table_has_the_contracts_columns_then_landings_and_none_is_required(
    contract: Contract,
) -> None:
    schema = contract.iceberg_schema()
    names = [field.name for field in schema.fields]
    landing = LANDING if contract.keep_value else LANDING[:-1]
    assert names == [field.name for field in contract.fields] + landing
    assert not any(field.required for field in schema._lazy_id_to_field.values())


def test_the_columns_that_landing_adds_are_the_names_a_contract_may_not_use() -> None:
    assert set(LANDING) == RESERVED_FIELDS


def test_a_raw_table_is_partitioned_by_the_day_in_kafka() -> None:
    schema = SHOP["orders"].iceberg_schema()
    assert _partitioning(schema, raw_partitioning(schema)) == [("kafka_at", "day")]


def test_quarantine_is_partitioned_by_dataset_and_knows_each_position() -> None:
    schema = quarantine_schema()
    assert _partitioning(schema, quarantine_partitioning(schema)) == [("dataset", "identity")]
    assert {"kafka_topic", "kafka_partition", "kafka_offset", "reason", "status"} <= set(
        schema.column_names
    )


def _partitioning(schema: Schema, spec: Any) -> list[tuple[str | None, str]]:
    return [(schema.find_column_name(part.source_id), str(part.transform)) for part in spec.fields]


def test_arrow_types_are_those_that_spark_exchanges() -> None:
    schema = SHOP["orders"].arrow_schema(landing=False)
    assert schema.field("order_id").type == pa.string()
    assert schema.field("placed_at").type == pa.timestamp("us", tz="UTC")
    lines = schema.field("lines").type
    assert pa.types.is_list(lines)
    assert lines.value_type.field("quantity").type == pa.int32()
    assert VISITS.arrow_schema(landing=False).field("price").type == pa.decimal128(12, 2)
    assert SHOP["orders"].arrow_schema().names[-1] == "value"


def test_a_json_dataset_is_registered_with_a_closed_json_schema() -> None:
    schema = VISITS.registry_schema()
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["visit_id", "day", "device", "visited_at"]
    assert schema["properties"]["device"]["required"] == ["kind"]
    assert schema["properties"]["seconds"]["type"] == ["integer", "null"]
    assert schema["properties"]["tags"]["items"] == {"type": "string"}
