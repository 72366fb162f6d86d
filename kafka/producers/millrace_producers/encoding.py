"""Records to bytes, as the contract's format wants them.

Avro goes out in Confluent's envelope (a zero byte, the schema's id, the Avro body), written by
the registry client's own serializer with the registered schema: nothing is registered from here.
JSON goes out as plain JSON text: timestamps and dates in ISO 8601, decimals as strings.
"""

from __future__ import annotations

import datetime as dt
import decimal
import json
from collections.abc import Callable
from typing import Any

from confluent_kafka.schema_registry import SchemaRegistryClient, topic_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from millrace.contracts import Contract

Record = dict[str, Any]
Encoder = Callable[[Record], bytes]
#: Between the parts of a business key of several fields.
KEY_SEPARATOR = "|"


def make_encoder(
    contract: Contract, registry: SchemaRegistryClient, schema_id: int | None = None
) -> Encoder:
    """A function from a record of the contract to the bytes of its value.

    Args:
        schema_id: the registry's id of the contract's schema; the subject's latest by default,
            which may have become another one's.
    """
    if contract.format == "json":
        return lambda record: to_json(record).encode()
    which: dict[str, Any] = {"use.latest.version": True}
    if schema_id is not None:
        which = {"use.schema.id": schema_id}
    serializer = AvroSerializer(
        registry,
        conf={
            "auto.register.schemas": False,
            "subject.name.strategy": topic_subject_name_strategy,
            **which,
        },
    )
    context = SerializationContext(contract.topic, MessageField.VALUE)

    def encode(record: Record) -> bytes:
        value = serializer(record, context)
        assert isinstance(value, bytes)
        return value

    return encode


def record_key(contract: Contract, record: Record) -> bytes | None:
    """The business key as text; None where the contract has no key or the record no value."""
    parts = [record.get(name) for name in contract.key]
    if not parts or None in parts:
        return None
    return KEY_SEPARATOR.join(_text(part) for part in parts).encode()


def to_json(record: Record) -> str:
    """The record as one line of JSON."""
    return json.dumps(record, default=_text, ensure_ascii=False, separators=(",", ":"))


def _text(value: object) -> str:
    """A value that JSON has no type for."""
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, str | int | float | decimal.Decimal):
        return str(value)
    raise TypeError(f"no JSON for {type(value).__name__}")
