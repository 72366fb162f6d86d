"""How a field's value is stored: the standard's `physicalType`."""

from __future__ import annotations

import re

from millrace.contracts.document import Document, Path_

#: logicalType -> how it may be stored, the default first. A count outgrows 32 bits before its
#: reader notices, hence long.
STORED_AS: dict[str, tuple[str, ...]] = {
    "string": ("string",),
    "integer": ("long", "int"),
    "number": ("double", "float", "decimal(p,s)"),
    "boolean": ("boolean",),
    "date": ("date",),
    "timestamp": ("timestamp",),
    "array": ("array",),
    "object": ("struct",),
}

_DECIMAL = re.compile(r"decimal\((\d{1,2}), *(\d{1,2})\)")
MOST_DIGITS = 38


def read_type(document: Document, physical: str | None, logical: str, field: Path_) -> str:
    """The stored type; the logical type's default where nothing or nothing good is given."""
    ways = STORED_AS[logical]
    at = (*field, "physicalType")
    if physical is None:
        return ways[0]
    found = _DECIMAL.fullmatch(physical)
    if found and logical == "number":
        precision, scale = int(found[1]), int(found[2])
        if 1 <= precision <= MOST_DIGITS and scale <= precision:
            return f"decimal({precision},{scale})"
        document.refuse(
            at,
            f"{physical} is no decimal",
            f"use at most {MOST_DIGITS} digits, and no more behind the point than in all",
        )
    elif physical not in ways:
        document.refuse(
            at,
            f"the logicalType {logical} can not be stored as {physical!r}",
            f"use one of {', '.join(ways)}, or leave physicalType out",
        )
    return physical if physical in ways else ways[0]
