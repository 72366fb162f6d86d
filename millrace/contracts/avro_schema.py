"""A contract as an Avro schema (Avro specification 1.11).

An optional field is a union with null first and the default null, which is what keeps a new
optional field compatible with the records written before it (BACKWARD). Allowed values stay a
string: an Avro enum can not gain a symbol without breaking older readers. The names that a field
had before are its aliases, also in the names of the records within it, so that a reader by this
schema understands what was written under them.
"""

from __future__ import annotations

from typing import Any

from millrace.contracts.model import Contract, Field

NAMESPACE = "millrace"

_PRIMITIVES: dict[str, Any] = {
    "string": "string",
    "int": "int",
    "long": "long",
    "float": "float",
    "double": "double",
    "boolean": "boolean",
    "date": {"type": "int", "logicalType": "date"},
    "timestamp": {"type": "long", "logicalType": "timestamp-micros"},
}


def record_schema(contract: Contract) -> dict[str, Any]:
    """The contract's record."""
    return {
        **_record((contract.dataset,), contract.fields),
        "namespace": NAMESPACE,
        "doc": contract.description,
    }


def _record(names: tuple[str, ...], fields: tuple[Field, ...]) -> dict[str, Any]:
    """A record; `names` are the one it has and those it had."""
    former = {"aliases": [f"{NAMESPACE}.{name}" for name in names[1:]]} if names[1:] else {}
    inner = [_field(names, field) for field in fields]
    return {"type": "record", "name": names[0], **former, "fields": inner}


def _field(records: tuple[str, ...], field: Field) -> dict[str, Any]:
    own = (field.name, *field.aliases)
    kind = _type(tuple(f"{record}_{name}" for record in records for name in own), field)
    described = {"doc": field.description} if field.description else {}
    former = {"aliases": list(field.aliases)} if field.aliases else {}
    if field.required:
        return {"name": field.name, "type": kind, **former, **described}
    return {
        "name": field.name,
        "type": ["null", kind],
        "default": None,
        **former,
        **described,
    }


def _type(names: tuple[str, ...], field: Field) -> Any:
    """The Avro type; `names` are the paths of the field, so that no two records share a name."""
    if field.type == "struct":
        return _record(names, field.fields)
    if field.type == "array":
        assert field.items is not None
        item = _type(names, field.items)
        return {"type": "array", "items": item if field.items.required else ["null", item]}
    if field.decimal is not None:
        precision, scale = field.decimal
        return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}
    return _PRIMITIVES[field.type]
