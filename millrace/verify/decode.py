"""Bytes to values, by Apache's Avro library or as JSON: nothing that landing decodes with.

The values are given as Arrow takes them: times as microseconds since the epoch, dates as days.
Nothing is judged here: whether a record may be landed is landing's to say, what it says is not.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import avro.io
import avro.schema
import requests

from millrace.contracts import Contract, Field
from millrace.verify.errors import SourceAwayError

#: The registry's framing: a zero byte, and the id of the writer's schema in four.
_FRAME = 5
_TIMEOUT_S = 10.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_EPOCH_DAY = date(1970, 1, 1)

Convert = Callable[[Any], Any]
#: Gives the text of a schema by its id in the registry, None where there is none.
SchemaText = Callable[[int], str | None]


class UndecodableError(Exception):
    """The bytes are not what their schema or format says."""


def registry(url: str) -> SchemaText:
    """Schemas of the registry at an address."""

    def text(schema_id: int) -> str | None:
        try:
            answer = requests.get(
                f"{url}/apis/ccompat/v7/schemas/ids/{schema_id}", timeout=_TIMEOUT_S
            )
            if answer.status_code == requests.codes.not_found:
                return None
            answer.raise_for_status()
            found: str = answer.json()["schema"]
            return found
        except requests.RequestException as error:
            raise SourceAwayError(f"schema registry {url}", str(error)) from error

    return text


def framed_id(value: bytes | None, kind: str) -> int | None:
    """The schema id that a record's frame names; a JSON record need not have one."""
    if value is None or value[:1] != b"\0":
        return None
    if len(value) < _FRAME or (kind == "json" and len(value) == _FRAME):
        return None
    return int.from_bytes(value[1:_FRAME], "big", signed=True)


class Decoder:
    """Decodes the records of one contract to the columns of its raw table."""

    def __init__(self, contract: Contract, schemas: SchemaText) -> None:
        self._convert = _struct(contract.fields)
        self._schemas = schemas
        self._kind = contract.format
        self._readers: dict[int, avro.io.DatumReader] = {}

    def decode(self, value: bytes | None) -> dict[str, Any]:
        """The columns of a record; none of a tombstone.

        Raises:
            UndecodableError: the bytes are no such record.
            SourceAwayError: the registry does not answer.
        """
        if value is None:
            return {}
        schema_id = framed_id(value, self._kind)
        try:
            if self._kind == "json":
                return self._columns(json.loads(value[_FRAME if schema_id is not None else 0 :]))
            if schema_id is None:
                raise UndecodableError("it has no schema id")
            return self._columns(self._avro(value, schema_id))
        except (UndecodableError, SourceAwayError):
            raise
        except Exception as error:  # whatever the bytes happen to mean
            raise UndecodableError(f"{type(error).__name__}: {error}") from error

    def _columns(self, record: Any) -> dict[str, Any]:
        columns: dict[str, Any] = self._convert(record)
        return columns

    def _avro(self, value: bytes, schema_id: int) -> Any:
        reader = self._readers.get(schema_id)
        if reader is None:
            text = self._schemas(schema_id)
            if text is None:
                raise UndecodableError(f"the registry has no schema {schema_id}")
            reader = self._readers[schema_id] = avro.io.DatumReader(avro.schema.parse(text))
        stream = io.BytesIO(value)
        stream.seek(_FRAME)
        record = reader.read(avro.io.BinaryDecoder(stream))
        if left := len(value) - stream.tell():
            raise UndecodableError(f"{left} bytes are left over")
        return record


def _struct(fields: Sequence[Field]) -> Convert:
    parts = [(field.name, _names(field), _field(field)) for field in fields]

    def convert(record: Any) -> dict[str, Any]:
        if not isinstance(record, Mapping):
            raise UndecodableError("it is no record")
        return {name: inner(_pick(record, names)) for name, names, inner in parts}

    return convert


def _names(field: Field) -> tuple[str, ...]:
    """What the field is or was called."""
    return (field.name, *field.aliases)


def _pick(record: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    for name in names:
        if name in record:
            return record[name]
    return None


def _field(field: Field) -> Convert:
    convert = _value(field)
    return lambda value: None if value is None else convert(value)


def _value(field: Field) -> Convert:
    """The conversion of a value that is not null."""
    if field.type == "struct":
        return _struct(field.fields)
    if field.type == "array":
        assert field.items is not None
        item = _field(field.items)
        return lambda values: [item(value) for value in values]
    if field.decimal is not None:
        return Decimal
    convert: Convert = _SCALARS.get(field.type, _same)
    return convert


def _same(value: Any) -> Any:
    return value


def _micros(value: Any) -> int:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return (moment - _EPOCH) // _MICROSECOND if isinstance(moment, datetime) else int(moment)


def _days(value: Any) -> int:
    day = date.fromisoformat(value) if isinstance(value, str) else value
    return (day - _EPOCH_DAY).days if isinstance(day, date) else int(day)


_SCALARS: dict[str, Convert] = {
    "timestamp": _micros,
    "date": _days,
    "double": float,
    "float": float,
}
