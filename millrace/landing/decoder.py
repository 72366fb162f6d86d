"""One record's bytes to a decoded record: the registry's framing, then Avro or JSON.

Avro is decoded by the schema it was written with; fields are then matched by name, so a record of
an older or a newer version of the contract decodes alike. What was written and has no column is
kept in the raw bytes.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any, NoReturn

from fastavro import parse_schema, schemaless_reader

from millrace.contracts.model import Contract
from millrace.landing.reasons import Reason, Rejected
from millrace.landing.schemas import SchemaSource

MAGIC = 0
HEADER_BYTES = 5
#: Kafka's own default limit of a record is 1 MiB; a topic may have a greater one.
LARGEST_VALUE_BYTES = 4 * 1024 * 1024
#: Left out before decoding: the plain integers are what Arrow takes, and three times as fast.
PLAIN_LOGICAL_TYPES = frozenset({"timestamp-micros", "date"})


@dataclass(frozen=True)
class Decoded:
    """A decoded record, and the registry id it was written with where it has one."""

    record: Any
    schema_id: int | None


class Decoder:
    """Decodes the records of one contract."""

    def __init__(self, contract: Contract, schemas: SchemaSource) -> None:
        self._subject = contract.subject
        self._schemas = schemas
        self._writers: dict[int, Any] = {}
        self.decode = self._avro if contract.format == "avro" else self._json

    def _avro(self, value: bytes) -> Decoded:
        """Decode a framed Avro record.

        Raises:
            Rejected: it can not be decoded.
            RegistryUnreachableError: its schema can not be asked for now.
        """
        _refuse_large(value)
        if len(value) < HEADER_BYTES or value[0] != MAGIC:
            start = value[:HEADER_BYTES].hex(" ") or "nothing"
            detail = f"the record starts with {start}, not with 00 and a schema id"
            raise Rejected(Reason.NOT_FRAMED, detail)
        schema_id = _schema_id(value)
        writer = self._writers.get(schema_id)
        if writer is None:
            writer = self._writers[schema_id] = self._writer(schema_id)
        stream = io.BytesIO(value)
        stream.seek(HEADER_BYTES)
        try:
            record = schemaless_reader(stream, writer, None)
        except Exception as error:  # garbage raises whatever its bytes happen to mean
            detail = f"schema {schema_id}: {type(error).__name__}: {error}"
            raise Rejected(Reason.UNDECODABLE, detail, schema_id=schema_id) from error
        if left := len(value) - stream.tell():
            detail = f"schema {schema_id}: {left} bytes are left over"
            raise Rejected(Reason.UNDECODABLE, detail, schema_id=schema_id)
        return Decoded(record, schema_id)

    def _writer(self, schema_id: int) -> Any:
        schema = self._schemas.by_id(schema_id, self._subject) if schema_id > 0 else None
        if schema is None:
            cause = f"the registry has no schema {schema_id}"
            raise Rejected(Reason.UNKNOWN_SCHEMA, cause, schema_id=schema_id)
        if self._subject not in schema.subjects:
            others = ", ".join(sorted(schema.subjects)) or "no subject"
            cause = f"schema {schema_id} belongs to {others}, not to {self._subject}"
            raise Rejected(Reason.SCHEMA_MISMATCH, cause, schema_id=schema_id)
        try:
            return parse_schema(_plain(schema.definition))
        except Exception as error:  # a subject that holds no Avro
            cause = f"schema {schema_id} is no Avro schema: {error}"
            raise Rejected(Reason.SCHEMA_MISMATCH, cause, schema_id=schema_id) from error

    def _json(self, value: bytes) -> Decoded:
        """Decode a JSON record, framed or not.

        Raises:
            Rejected: it is not JSON in UTF-8.
        """
        _refuse_large(value)
        schema_id = None
        if len(value) > HEADER_BYTES and value[0] == MAGIC:
            schema_id = _schema_id(value)
            value = value[HEADER_BYTES:]
        try:
            return Decoded(json.loads(value, parse_constant=_refuse_constant), schema_id)
        except (ValueError, RecursionError) as error:
            raise Rejected(Reason.UNDECODABLE, f"not JSON: {error}", schema_id=schema_id) from error


def _schema_id(value: bytes) -> int:
    """Registries count ids in a signed integer of 32 bits."""
    return int.from_bytes(value[1:HEADER_BYTES], "big", signed=True)


def _refuse_large(value: bytes) -> None:
    if len(value) > LARGEST_VALUE_BYTES:
        detail = f"the record has {len(value)} bytes, more than {LARGEST_VALUE_BYTES}"
        raise Rejected(Reason.TOO_LARGE, detail)


def _refuse_constant(name: str) -> NoReturn:
    """JSON has no NaN and no Infinity, though Python reads them."""
    raise ValueError(f"{name} is no JSON value")


def _plain(schema: Any) -> Any:
    """The schema without the logical types whose plain integers are wanted."""
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    drop = schema.get("logicalType") in PLAIN_LOGICAL_TYPES
    # `default` and `symbols` hold values, not schemas.
    return {
        name: _plain(value) if name in ("type", "items", "values", "fields") else value
        for name, value in schema.items()
        if not (drop and name == "logicalType")
    }
