"""The fields of a contract: types, keys, bounds.

The standard's `logicalType` says what a value is, `physicalType` narrows how it is stored, and
`logicalTypeOptions` and `enum` bound it.
"""

from __future__ import annotations

from collections.abc import Sequence

from open_data_contract_standard.model import SchemaProperty

from millrace.contracts import names
from millrace.contracts.bounds import read_bounds
from millrace.contracts.document import Document, Path_
from millrace.contracts.field_properties import read_field_properties, refuse_shared_names
from millrace.contracts.model import Field
from millrace.contracts.stored import STORED_AS, read_type
from millrace.contracts.suggest import refuse_other_keys, suggestion

CLASSIFICATIONS = ("public", "internal", "pii")

APPLIED = {
    "name", "logicalType", "physicalType", "logicalTypeOptions", "required", "primaryKey",
    "primaryKeyPosition", "enum", "classification", "relationships", "properties", "items",
    "customProperties",
}  # fmt: skip
DESCRIBING = {
    "id", "description", "businessName", "deprecated", "synonyms", "authoritativeDefinitions",
    "tags", "examples", "criticalDataElement", "semanticType",
}  # fmt: skip


def read_fields(
    document: Document, properties: Sequence[SchemaProperty] | None, owner: Path_
) -> tuple[Field, ...]:
    """The fields of a record, whose properties stand under `owner`."""
    at = (*owner, "properties")
    if not properties:
        document.refuse(owner, "there are no fields", "list them under properties")
        return ()
    fields: list[Field] = []
    for index, given in enumerate(properties):
        here = (*at, index)
        field = _FieldReading(document, given, here).field()
        if any(field.name == other.name for other in fields):
            document.refuse(here, f"the field {field.name} is there twice", "rename or remove one")
        fields.append(field)
    refuse_shared_names(document, at, fields)
    return tuple(fields)


class _FieldReading:
    """One property of the standard, read into a field; problems go to the document."""

    def __init__(self, document: Document, given: SchemaProperty, at: Path_) -> None:
        self.document, self.given, self.at = document, given, at
        self.is_item = at[-1] == "items"
        self.is_top = len(at) == len(("schema", 0, "properties", 0))

    def field(self) -> Field:
        """The field, with a stand-in wherever a problem was noted."""
        refuse_other_keys(self.document, self.at, APPLIED | DESCRIBING)
        given = self.given
        logical = self.logical_type()
        is_key = bool(given.primaryKey)
        if is_key and logical in ("array", "object"):
            self.refuse("primaryKey", f"an {logical} can not be a key", "choose a plain field")
        classification = self.classification()
        return Field(
            name=self.name(),
            type=read_type(self.document, given.physicalType, logical, self.at),
            description=" ".join((given.description or "").split()),
            # A key identifies, so it is never null; nor is there a use for a null in an array.
            required=bool(given.required) or is_key or self.is_item,
            items=self.items(logical),
            fields=self.fields(logical),
            enum=self.allowed(logical),
            key=is_key,
            pii=classification == "pii",
            references=self.reference(),
            **read_field_properties(self.document, given, self.at),
            **read_bounds(self.document, given.logicalTypeOptions, logical, self.at),
        )

    def refuse(self, key: str, cause: str, remedy: str) -> None:
        """Note a problem of one key of this property."""
        self.document.refuse((*self.at, key), cause, remedy)

    def name(self) -> str:
        """The name in the grammar of columns; the item of an array needs none."""
        name = self.given.name
        if self.is_item:
            return "item"
        if name is None:
            self.document.refuse(self.at, "a field has no name", "add a line `name: ...`")
            return ""
        if not names.SNAKE_NAME.fullmatch(name) or len(name) > names.LONGEST_NAME:
            self.refuse(
                "name",
                f"{name!r} is no name for a field",
                "use lower-case words joined by underscores, as in `placed_at`",
            )
        elif self.is_top and name in names.RESERVED_FIELDS:
            self.refuse("name", f"{name} is a column that landing adds", "choose another name")
        return name

    def logical_type(self) -> str:
        """The logical type; a stand-in where it is missing or unknown."""
        logical = self.given.logicalType
        if logical is None:
            self.document.refuse(
                self.at,
                "the key logicalType is missing",
                f"add `logicalType:` with one of {', '.join(STORED_AS)}",
            )
        elif logical not in STORED_AS:
            self.refuse(
                "logicalType",
                f"there is no logicalType {logical!r}",
                suggestion(logical, STORED_AS),
            )
        return logical if logical in STORED_AS else "string"

    def items(self, logical: str) -> Field | None:
        """The item of an array."""
        if logical != "array":
            if self.given.items is not None:
                self.refuse("items", f"only an array has items, not {logical}", "remove them")
            return None
        if self.given.items is None:
            self.document.refuse(
                self.at, "an array needs items", "add `items:` with the logicalType of an item"
            )
            return None
        return _FieldReading(self.document, self.given.items, (*self.at, "items")).field()

    def fields(self, logical: str) -> tuple[Field, ...]:
        """The fields of a struct."""
        if logical == "object":
            return read_fields(self.document, self.given.properties, self.at)
        if self.given.properties is not None:
            self.refuse(
                "properties", f"only an object has properties, not {logical}", "remove them"
            )
        return ()

    def allowed(self, logical: str) -> tuple[str, ...]:
        """The allowed values of a string."""
        entries = self.given.enum
        if entries is None:
            return ()
        if logical != "string":
            self.refuse("enum", f"only a string has allowed values, not {logical}", "remove them")
            return ()
        values = tuple(entry.value for entry in entries)
        for index, value in enumerate(values):
            if not isinstance(value, str):
                self.document.refuse(
                    (*self.at, "enum", index),
                    f"the allowed value {value!r} is not a string",
                    "put it in quotes",
                )
            elif value in values[:index]:
                self.document.refuse(
                    (*self.at, "enum", index), f"{value!r} is there twice", "remove one of the two"
                )
        return tuple(str(value) for value in values)

    def classification(self) -> str | None:
        """Who may see it."""
        given = self.given.classification
        if given is not None and given not in CLASSIFICATIONS:
            self.refuse(
                "classification",
                f"there is no classification {given!r}",
                f"use one of {', '.join(CLASSIFICATIONS)}",
            )
        return given

    def reference(self) -> str | None:
        """The field of another dataset whose values this one repeats."""
        links = self.given.relationships or []
        if not links:
            return None
        to = links[0].to
        parts = to.split(".") if isinstance(to, str) else []
        if len(links) > 1 or len(parts) != len(("dataset", "field")):
            self.refuse(
                "relationships",
                "a field refers to one field of another dataset",
                "write `relationships: [{to: dataset.field}]`",
            )
            return None
        return str(to)
