"""A contract in memory: frozen, picklable, without a client library.

The schemas of the services are derived on demand and their modules imported then (hence `noqa`
on those imports), so that a process which only needs the names loads neither PyIceberg nor Arrow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from millrace.contracts.places import raw_location

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.schema import Schema

Number = int | float

#: What a check holds a value to; `Check.reason` is the quarantine class of a value that fails.
CheckKind = Literal[
    "required", "minimum", "maximum", "min_length", "max_length", "allowed", "pattern"
]
REASONS: dict[CheckKind, str] = {
    "required": "missing_field",
    "minimum": "out_of_range",
    "maximum": "out_of_range",
    "min_length": "out_of_range",
    "max_length": "out_of_range",
    "allowed": "not_allowed",
    "pattern": "bad_format",
}
#: The step of a check's path that stands for every item of an array.
ITEMS = "[]"


@dataclass(frozen=True)
class Check:
    """One constraint on one value.

    Attributes:
        path: steps from the record to the value; `ITEMS` means each item: `("lines", "[]", "id")`.
        kind: which constraint.
        bound: what it is held to: `True`, a number, a length, the allowed values, an expression.
    """

    path: tuple[str, ...]
    kind: CheckKind
    bound: Any

    @property
    def reason(self) -> str:
        """The quarantine class of a record that fails this check."""
        return REASONS[self.kind]

    @property
    def field(self) -> str:
        """The dotted name of the field, without the array steps: `lines.id`."""
        return ".".join(step for step in self.path if step != ITEMS)


@dataclass(frozen=True)
class Field:
    """One field of a record, or the item of an array (then its name is `item`).

    Attributes:
        type: `string`, `int`, `long`, `float`, `double`, `boolean`, `decimal(p,s)`, `date`,
            `timestamp` (microseconds, UTC), `array` or `struct`.
        items: the item of an array.
        fields: the fields of a struct.
        min, max: inclusive bounds of a number.
        min_length, max_length: bounds of a string's characters or an array's items.
        pattern: a regular expression that the whole string matches.
        enum: the allowed values; empty means any.
        key: part of the business key of its record.
        pii: says something about a person.
        mask: how it is hidden from those who may not see it: `hash`, `redact`, or not at all.
        references: `dataset.field` whose values it repeats.
        aliases: names it had before; records and columns with one of them are this field's.
    """

    name: str
    type: str
    description: str = ""
    required: bool = False
    items: Field | None = None
    fields: tuple[Field, ...] = ()
    min: Number | None = None
    max: Number | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    enum: tuple[str, ...] = ()
    key: bool = False
    pii: bool = False
    mask: str | None = None
    references: str | None = None
    aliases: tuple[str, ...] = ()

    @property
    def nullable(self) -> bool:
        """Whether the value may be null or absent."""
        return not self.required

    @property
    def decimal(self) -> tuple[int, int] | None:
        """Precision and scale of a decimal, None for other types."""
        if not self.type.startswith("decimal("):
            return None
        precision, scale = self.type.removeprefix("decimal(").removesuffix(")").split(",")
        return int(precision), int(scale)

    def walk(self) -> Iterator[Field]:
        """This field and every field in it."""
        yield self
        for inner in (*self.fields, *((self.items,) if self.items else ())):
            yield from inner.walk()

    def former_names(self, parent: str = "") -> Iterator[tuple[str, tuple[str, ...]]]:
        """Dotted name and former names of this field and those in it, where there are any."""
        path = f"{parent}{self.name}"
        if self.aliases:
            yield path, self.aliases
        inner: Field = self
        while inner.items is not None:
            inner = inner.items
        for field in inner.fields:
            yield from field.former_names(f"{path}.")

    def checks(self, parent: tuple[str, ...] = ()) -> Iterator[Check]:
        """The constraints of this field and of what it holds, outermost first."""
        path = (*parent, self.name)
        bounds: tuple[tuple[CheckKind, Any], ...] = (
            ("required", self.required or None),
            ("minimum", self.min),
            ("maximum", self.max),
            ("min_length", self.min_length),
            ("max_length", self.max_length),
            ("allowed", self.enum or None),
            ("pattern", self.pattern),
        )
        yield from (Check(path, kind, bound) for kind, bound in bounds if bound is not None)
        for field in self.fields:
            yield from field.checks(path)
        if self.items is not None:
            for check in self.items.checks():
                yield Check((*path, ITEMS, *check.path[1:]), check.kind, check.bound)


@dataclass(frozen=True)
class Rule:
    """A condition between the fields of a record; `millrace.contracts.rules` is its language."""

    name: str
    expression: str


@dataclass(frozen=True)
class Contract:
    """All that is said about one dataset. `millrace.contracts.store` reads it from its file.

    Attributes:
        key: names of the fields that identify an entity, in order; empty for a mere log.
        event_time: the timestamp field that orders the versions of an entity; None means that
            the time of the record in Kafka does.
        tier: the store of the raw table.
        retention_days: how long rows stay in the raw table.
        topic_retention_days: how long records stay in the topic.
        keep_value: whether the raw table keeps the bytes of the record beside its columns.
        rules, max_bad_percent: of one record, and of what comes in of the stream.
    """

    dataset: str
    topic: str
    version: str
    description: str
    owner: str
    fields: tuple[Field, ...]
    key: tuple[str, ...] = ()
    event_time: str | None = None
    tier: Literal["hdfs", "s3"] = "hdfs"
    retention_days: int = 90
    topic_retention_days: int = 7
    format: Literal["avro", "json"] = "avro"
    partitions: int = 3
    compatibility: str = "BACKWARD"
    keep_value: bool = True
    rules: tuple[Rule, ...] = ()
    max_bad_percent: int = 5

    @property
    def subject(self) -> str:
        """The name of the record's schema in the registry."""
        return f"{self.topic}-value"

    @property
    def raw_table(self) -> str:
        """Namespace and name of the raw table."""
        return f"raw.{self.dataset}"

    @property
    def location(self) -> str:
        """Where the raw table lives."""
        return raw_location(self.dataset, self.tier)

    def field(self, name: str) -> Field:
        """The top-level field of that name; KeyError where there is none."""
        return {field.name: field for field in self.fields}[name]

    def every_field(self) -> Iterator[Field]:
        """The fields of the record, and those within them."""
        for field in self.fields:
            yield from field.walk()

    def aliases(self) -> dict[str, tuple[str, ...]]:
        """Dotted name of each renamed field to its former names; items stand under their array."""
        return {path: former for each in self.fields for path, former in each.former_names()}

    def checks(self) -> tuple[Check, ...]:
        """Every constraint on a record, in the order of the fields, outermost first."""
        return tuple(check for field in self.fields for check in field.checks())

    def avro_schema(self) -> dict[str, Any]:
        """The record as an Avro schema; an optional field is a union with null, default null."""
        from millrace.contracts.avro_schema import record_schema  # noqa: PLC0415

        return record_schema(self)

    def json_schema(self) -> dict[str, Any]:
        """The record as a JSON schema."""
        from millrace.contracts.json_schema import record_schema  # noqa: PLC0415

        return record_schema(self)

    def registry_schema(self) -> dict[str, Any]:
        """The schema in the contract's format, as it is registered."""
        return self.avro_schema() if self.format == "avro" else self.json_schema()

    def iceberg_schema(self) -> Schema:
        """The raw table: the contract's columns, all optional, then the landing columns."""
        from millrace.contracts.iceberg_schema import raw_schema  # noqa: PLC0415

        return raw_schema(self)

    def arrow_schema(self, *, landing: bool = True) -> pa.Schema:
        """The raw table's columns as Arrow types; without landing, the contract's own alone."""
        from millrace.contracts.iceberg_schema import arrow_schema  # noqa: PLC0415

        return arrow_schema(self, landing=landing)
