"""Rows of a file as records: text becomes the types of the contract where it can.

Nothing is judged here: a value that is not what its field wants is left as it is, and the
landing's validator, which is compiled from the same contract, says what is wrong with it. A time
without a zone is taken as UTC.
"""

from __future__ import annotations

import datetime as dt
import decimal
import json
from collections.abc import Callable, Mapping
from typing import Any

from millrace.contracts import Field
from millrace_producers.encoding import Record

Parser = Callable[[Any], Any]
TRUTH = {"true": True, "false": False}


class UnknownField(Exception):  # noqa: N818 - the reader of the file makes it an error
    """A row holds a field that the contract has not.

    Attributes:
        field: its dotted name.
        known: the fields that there are.
    """

    def __init__(self, field: str, known: list[str]) -> None:
        super().__init__(field, known)
        self.field, self.known = field, known


def row_parser(fields: tuple[Field, ...], *, text: bool = False) -> Callable[[Any], Record]:
    """A function from a row to a record with exactly these fields, absent ones None.

    Args:
        text: the row comes from CSV: an empty cell is null, and every type is read from its text.

    Raises (the function):
        UnknownField: the row has another field.
    """
    return _struct(fields, "", text)


def _struct(fields: tuple[Field, ...], path: str, text: bool) -> Callable[[Any], Record]:
    parsers = {field.name: _parser(field, f"{path}{field.name}", text) for field in fields}

    def parse(row: Mapping[str, Any]) -> Record:
        if not row.keys() <= parsers.keys():
            unknown = next(name for name in row if name not in parsers)
            raise UnknownField(f"{path}{unknown}", [f"{path}{name}" for name in parsers])
        return {
            name: None if (value := row.get(name)) is None else parse_value(value)
            for name, parse_value in parsers.items()
        }

    return parse


def _parser(field: Field, path: str, text: bool) -> Parser:
    parse = _plain(field, path)
    if not text:
        return parse
    from_text = _TEXT.get(field.type)

    def parse_cell(cell: str) -> Any:
        if cell == "":
            return None
        if from_text is None:
            return parse(cell)
        try:
            value = from_text(cell)
        except ValueError:
            return cell
        return parse(value)

    return parse_cell


def _plain(field: Field, path: str) -> Parser:
    """The parser of a value that is typed already, as far as its file knows types."""
    if field.type == "struct":
        parse_struct = _struct(field.fields, f"{path}.", text=False)
        return lambda value: parse_struct(value) if isinstance(value, Mapping) else value
    if field.type == "array":
        assert field.items is not None
        parse_item = _plain(field.items, path)
        return lambda value: (
            [None if item is None else parse_item(item) for item in value]
            if isinstance(value, list)
            else value
        )
    if field.decimal is not None:
        return _decimal
    return _TYPED.get(field.type, _as_it_is)


def _as_it_is(value: Any) -> Any:
    return value


def _timestamp(value: Any) -> Any:
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value.strip())
        except ValueError:
            return value
    if isinstance(value, dt.datetime) and value.tzinfo is None:
        return value.replace(tzinfo=dt.UTC)
    return value


def _date(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return dt.date.fromisoformat(value.strip())
        except ValueError:
            return value
    if isinstance(value, dt.datetime):  # which is a date too, but not to the validator
        is_midnight = value.time() == dt.time()
        return value.date() if is_midnight else value.isoformat()
    return value


def _decimal(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return decimal.Decimal(value.strip())
        except decimal.InvalidOperation:
            return value
    return value


def _double(value: Any) -> Any:
    """JSON's numbers arrive as `Decimal` where the contract has decimals elsewhere."""
    return float(value) if isinstance(value, decimal.Decimal) else value


def _boolean_text(cell: str) -> Any:
    return TRUTH.get(cell.strip().lower(), cell)


#: type -> how a value is taken that its file has typed; others stay as they are.
_TYPED: dict[str, Parser] = {
    "timestamp": _timestamp,
    "date": _date,
    "float": _double,
    "double": _double,
}
#: type -> how its text in a CSV cell is read; a ValueError leaves the text.
_TEXT: dict[str, Callable[[str], Any]] = {
    "int": int,
    "long": int,
    "float": float,
    "double": float,
    "boolean": _boolean_text,
    "array": json.loads,
    "struct": json.loads,
}
