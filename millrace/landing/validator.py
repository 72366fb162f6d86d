"""A contract compiled to a function that judges one record.

The same function serves Avro and JSON, landing and replay. It returns the record as Arrow wants
it: times as microseconds since the epoch (UTC), dates as days, decimals as `Decimal`. It refuses
what does not fit the table's column, so that no value can fail later, in a whole batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from millrace.contracts.model import Contract, Field
from millrace.contracts.rules import compile_rule
from millrace.landing.reasons import Reason, Rejected
from millrace.landing.scalars import Judge, length_check, scalar, wrong_type


def compile_contract(contract: Contract) -> Callable[[Any], dict[str, Any]]:
    """The judge of the contract's records.

    Returns:
        A function from a decoded record to its row; it raises `Rejected`.
    """
    judge = _struct("", contract.fields)
    rules = [(rule, compile_rule(rule, contract.fields)) for rule in contract.rules]

    def record(value: Any) -> dict[str, Any]:
        row: dict[str, Any] = judge(value)
        for rule, is_kept in rules:
            if not is_kept(row):
                raise Rejected(Reason.BROKEN_RULE, f"{rule.name}: not {rule.expression}")
        return row

    return record


def _judge(field: Field, path: str) -> Judge:
    """The judge of a value that is not null."""
    if field.type == "struct":
        return _struct(path, field.fields)
    if field.type == "array":
        return _array(field, path)
    return scalar(field, path)


def _struct(path: str, fields: tuple[Field, ...]) -> Judge:
    parts = tuple(
        (
            field.name,
            field.aliases,
            _join(path, field.name),
            field.required,
            _judge(field, _join(path, field.name)),
        )
        for field in fields
    )

    def judge(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise wrong_type(path, "an object", value)
        row = {}
        for name, aliases, where, required, judge_field in parts:
            given = value.get(name)
            if given is None and aliases and name not in value:
                given = _under_former_name(value, aliases)
            if given is not None:
                row[name] = judge_field(given)
            elif required:
                state = "null" if name in value else "absent"
                raise Rejected(Reason.MISSING_FIELD, f"{where} is {state}", where)
            else:
                row[name] = None
        return row

    return judge


def _under_former_name(value: Mapping[str, Any], aliases: tuple[str, ...]) -> Any:
    """What a record written before the field was renamed has for it."""
    return next((value[alias] for alias in aliases if alias in value), None)


def _array(field: Field, path: str) -> Judge:
    assert field.items is not None
    required, judge_item = field.items.required, _judge(field.items, path)
    check_length = length_check(field, path, "items")

    def judge(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise wrong_type(path, "an array", value)
        check_length(value)
        if required and None in value:
            raise Rejected(Reason.MISSING_FIELD, f"an item of {path} is null", path)
        return [None if item is None else judge_item(item) for item in value]

    return judge


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
