"""The custom properties of a field: `mask`, and `aliases`, the names it had before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from open_data_contract_standard.model import SchemaProperty

from millrace.contracts import names
from millrace.contracts.document import Document, Path_
from millrace.contracts.model import Field
from millrace.contracts.suggest import suggestion

MASKS = ("hash", "redact")
PROPERTIES = ("mask", "aliases")


def read_field_properties(document: Document, given: SchemaProperty, at: Path_) -> dict[str, Any]:
    """`mask` and `aliases` as attributes of a `Field`; problems go to the document."""
    values: dict[str, Any] = {}
    for index, own in enumerate(given.customProperties or ()):
        here = (*at, "customProperties", index)
        if own.property == "mask":
            if own.value in MASKS:
                values["mask"] = own.value
            else:
                remedy = f"write one of {', '.join(MASKS)}"
                document.refuse(here, f"mask can not be {own.value!r}", remedy)
        elif own.property == "aliases":
            values["aliases"] = _aliases(document, given.name, own.value, here)
        else:
            document.refuse(
                here,
                f"there is no custom property {own.property!r} for a field",
                f"{suggestion(str(own.property), PROPERTIES)}; those of the contract stand at its"
                " end",
            )
    return values


def refuse_shared_names(document: Document, at: Path_, fields: Iterable[Field]) -> None:
    """A former name belongs to one field: a record with it could not be read else."""
    fields = list(fields)
    owners = {field.name: field.name for field in fields}
    for index, field in enumerate(fields):
        for alias in field.aliases:
            owner = owners.setdefault(alias, field.name)
            if owner != field.name:
                cause = f"the alias {alias} of {field.name} is a name of {owner}"
                document.refuse((*at, index), cause, "remove it from one of the two")


def _aliases(document: Document, name: str | None, value: Any, at: Path_) -> tuple[str, ...]:
    """The former names; a list of names, none of them the present one."""
    if not isinstance(value, list) or not value:
        remedy = "write a list of former names: `value: [page]`"
        document.refuse(at, f"aliases can not be {value!r}", remedy)
        return ()
    for alias in value:
        if not isinstance(alias, str) or not names.SNAKE_NAME.fullmatch(alias):
            remedy = "use lower-case words joined by underscores, as in `placed_at`"
            document.refuse(at, f"{alias!r} was no name of a field", remedy)
        elif alias == name:
            remedy = "write the names it had before"
            document.refuse(at, f"{alias} is the field's present name", remedy)
        elif alias in names.RESERVED_FIELDS:
            document.refuse(at, f"{alias} is a column that landing adds", "remove it")
    return tuple(str(alias) for alias in value)
