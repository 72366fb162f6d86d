"""A contract as a JSON schema (draft 7), for the datasets whose records are JSON.

Unknown properties are refused (`additionalProperties: false`): with an open record a new optional
field would narrow what was allowed before, which the registry rightly calls incompatible.
Bounds and patterns are not here: the landing job checks them, for both formats alike.
"""

from __future__ import annotations

from typing import Any

from millrace.contracts.model import Contract, Field

_PRIMITIVES: dict[str, dict[str, Any]] = {
    "string": {"type": "string"},
    "int": {"type": "integer"},
    "long": {"type": "integer"},
    "float": {"type": "number"},
    "double": {"type": "number"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "timestamp": {"type": "string", "format": "date-time"},
}


def record_schema(contract: Contract) -> dict[str, Any]:
    """The contract's record."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": contract.dataset,
        "description": contract.description,
        **_record(contract.fields),
    }


def _record(fields: tuple[Field, ...]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            name: _property(field) for field in fields for name in (field.name, *field.aliases)
        },
        # A record may have it under a former name; landing looks, the schema can not say so.
        "required": [field.name for field in fields if field.required and not field.aliases],
    }


def _property(field: Field) -> dict[str, Any]:
    described = {"description": field.description} if field.description else {}
    schema = _type(field)
    if field.nullable:
        schema = {**schema, "type": [schema["type"], "null"]}
    return {**schema, **described}


def _type(field: Field) -> dict[str, Any]:
    if field.type == "struct":
        return _record(field.fields)
    if field.type == "array":
        assert field.items is not None
        return {"type": "array", "items": _property(field.items)}
    if field.decimal is not None:
        # Written as a string: a JSON number would pass through a binary double.
        return {"type": "string", "format": "decimal"}
    return _PRIMITIVES[field.type]
