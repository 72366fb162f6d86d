"""The bounds of a field's value: the standard's `logicalTypeOptions`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from millrace.contracts.document import Document, Path_
from millrace.contracts.suggest import suggestion

_NUMERIC = {"minimum": "min", "maximum": "max"}
_LENGTH = {"minLength": "min_length", "maxLength": "max_length"}
#: logicalType -> option -> attribute of the field.
OPTIONS: dict[str, dict[str, str]] = {
    "string": {**_LENGTH, "pattern": "pattern"},
    "integer": _NUMERIC,
    "number": _NUMERIC,
    "array": {"minItems": "min_length", "maxItems": "max_length"},
}


def read_bounds(
    document: Document, options: Mapping[str, Any] | None, logical: str, field: Path_
) -> dict[str, Any]:
    """The bounds as attributes of a `Field`; problems go to the document."""
    known = OPTIONS.get(logical, {})
    bounds: dict[str, Any] = {}
    for option, value in (options or {}).items():
        at = (*field, "logicalTypeOptions", option)
        if option not in known:
            remedy = suggestion(option, known) if known else "remove it"
            document.refuse(at, f"the logicalType {logical} has no option {option!r}", remedy)
        elif problem := _option_problem(option, value, logical):
            document.refuse(at, f"{option} can not be {value!r}", problem)
        else:
            bounds[known[option]] = value
    for least, most in (("min", "max"), ("min_length", "max_length")):
        if least in bounds and most in bounds and bounds[least] > bounds[most]:
            document.refuse(
                (*field, "logicalTypeOptions"),
                f"the least value {bounds[least]} is above the greatest {bounds[most]}",
                "swap them",
            )
    return bounds


def _option_problem(option: str, value: Any, logical: str) -> str:
    """What to write instead of a bad option; empty where it is good."""
    if option == "pattern":
        if not isinstance(value, str):
            return "write a regular expression in quotes"
        try:
            re.compile(value)
        except re.error as error:
            return f"mend the regular expression: {error}"
        return ""
    whole = isinstance(value, int) and not isinstance(value, bool)
    if option in ("minimum", "maximum") and logical == "number":
        number = whole or isinstance(value, float)
        return "" if number else "write a number, without quotes"
    if not whole:
        return "write a whole number, without quotes"
    return "" if option in ("minimum", "maximum") or value >= 0 else "write a number from 0 on"
