"""A contract as an Avro schema (Avro specification 1.11).

An optional field is a union with null first and the default null, which is what keeps a new
optional field compatible with the records written before it (BACKWARD). Allowed values stay a
string: an Avro enum can not gain a symbol without breaking older readers.
"""

from __future__ import annotations

from typing import Any

from millrace.contracts.model import Contract, Field

NAMESPACE = "millrace"

_PRIMITIVES: dict[str, Any] = {
    "string": "string",
    "int": "int",
    "long": "long",
    "double": "double",
    "boolean": "boolean",
    "date": {"type": "int", "logicalType": "date"},
    "timestamp": {"type": "long", "logicalType": "timestamp-micros"},
}


def record_schema(contract: Contract) -> dict[str, Any]:
    """The contract's record."""
    return {
        **_record(contract.dataset, contract.fields),
        "namespace": NAMESPACE,
        "doc": contract.description,
    }


def _record(name: str, fields: tuple[Field, ...]) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [_field(name, field) for field in fields]}


def _field(record: str, field: Field) -> dict[str, Any]:
    kind = _type(f"{record}_{field.name}", field)
    described = {"doc": field.description} if field.description else {}
    if field.required:
        return {"name": field.name, "type": kind, **described}
    return {"name": field.name, "type": ["null", kind], "default": None, **described}


def _type(name: str, field: Field) -> Any:
    """The Avro type; `name` is the path of the field, so that no two records share a name."""
    if field.type == "struct":
        return _record(name, field.fields)
    if field.type == "array":
        assert field.items is not None
        item = _type(name, field.items)
        return {"type": "array", "items": item if field.items.required else ["null", item]}
    if field.decimal is not None:
        precision, scale = field.decimal
        return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}
    return _PRIMITIVES[field.type]
