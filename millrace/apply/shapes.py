"""A registered schema, Avro or JSON, as the fields that a contract would have for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

_LOGICAL = {"date": "date", "timestamp-micros": "timestamp", "timestamp-millis": "timestamp"}
_JSON = {"integer": "long", "number": "double", "boolean": "boolean"}
_JSON_TEXT = {"date": "date", "date-time": "timestamp", "decimal": "decimal"}


@dataclass(frozen=True)
class Shape:
    """What a value may be.

    Attributes:
        kind: `string`, `int`, `long`, `float`, `double`, `boolean`, `bytes`, `decimal(p,s)`,
            `date`, `timestamp`, `array`, `struct`, or what the schema says where it is no
            contract's.
        required: it is neither null nor absent.
        fields: of a struct.
        items: of an array.
        aliases: its former names.
    """

    kind: str
    required: bool = True
    fields: Mapping[str, Shape] = field(default_factory=dict)
    items: Shape | None = None
    aliases: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"array of {self.items}" if self.items is not None else self.kind


def shape_of(schema: Any, schema_format: str) -> Shape:
    """The shape of a record's schema; the format is `avro` or `json`."""
    return _avro(schema) if schema_format == "avro" else _json(schema, required=True)


def _avro(schema: Any) -> Shape:
    if isinstance(schema, list):
        return _union(schema)
    kind = schema["type"] if isinstance(schema, dict) else str(schema)
    if not isinstance(kind, str):
        return _avro(kind)
    if kind == "record":
        fields = {each["name"]: _avro_field(each) for each in schema["fields"]}
        return Shape("struct", fields=fields)
    if kind == "array":
        return Shape("array", items=_avro(schema["items"]))
    logical = schema.get("logicalType") if isinstance(schema, dict) else None
    if logical == "decimal":
        return Shape(f"decimal({schema['precision']},{schema.get('scale', 0)})")
    return Shape(_LOGICAL.get(str(logical), kind))


def _union(members: list[Any]) -> Shape:
    kinds = [each for each in members if each != "null"]
    if len(kinds) == 1:
        return replace(_avro(kinds[0]), required=len(kinds) == len(members))
    return Shape("one of " + ", ".join(str(_avro(each)) for each in kinds))


def _avro_field(written: Mapping[str, Any]) -> Shape:
    shape = _avro(written["type"])
    # A default stands in for the field in a record that lacks it.
    required = shape.required and "default" not in written
    return replace(shape, required=required, aliases=tuple(written.get("aliases", ())))


def _json(schema: Any, *, required: bool) -> Shape:
    kinds = schema.get("type", "anything")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    required = required and "null" not in kinds
    (kind, *others) = [each for each in kinds if each != "null"] or ["null"]
    if others:
        return Shape("one of " + ", ".join([kind, *others]), required)
    if kind == "object":
        needed = schema.get("required", ())
        return Shape(
            "struct",
            required,
            fields={
                name: _json(each, required=name in needed)
                for name, each in schema.get("properties", {}).items()
            },
        )
    if kind == "array":
        return Shape("array", required, items=_json(schema.get("items", {}), required=True))
    if kind == "string":
        return Shape(_JSON_TEXT.get(schema.get("format", ""), "string"), required)
    return Shape(_JSON.get(kind, str(kind)), required)
