"""A checksum of rows that every engine can compute, whatever order it reads them in.

A row becomes a text: partition, offset, digest of its bytes, and every column that all engines
write alike, with `|` between two. The first twelve hexadecimal digits of the text's MD5 are a
number, and the sum of these over all rows is the checksum. Floating point numbers, structs and
decimals of more than six places are left out, since the engines write them differently; of an
array the number of items is taken. The digest covers the bytes of all of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from millrace.contracts import Field

NULL = "<null>"
SEPARATOR = "|"
DIGITS = 12
#: Java writes decimals of more places with an exponent where they are small.
MOST_PLACES = 6
#: What is taken of every row besides its contract's columns.
IDENTITY = (
    Field("kafka_partition", "int"),
    Field("kafka_offset", "long"),
    Field("value_sha256", "string"),
)
#: The same of a quarantined row.
QUARANTINED = (Field("dataset", "string"), Field("reason", "string"), Field("status", "string"))

_AS_IS = ("string",)
_CAST = ("int", "long", "boolean", "date")


def is_comparable(field: Field) -> bool:
    """Whether every engine writes the column alike."""
    if field.decimal is not None:
        return field.decimal[1] <= MOST_PLACES
    return field.type in (*_AS_IS, *_CAST, "timestamp", "array")


@dataclass
class Sum:
    """Count and checksum of rows.

    Attributes:
        fields: the columns that are taken, in their order.
    """

    fields: Sequence[Field]
    count: int = 0
    total: int = 0

    def add(self, rows: pa.RecordBatch) -> None:
        """Take rows as PyIceberg reads them."""
        if not rows.num_rows:
            return
        texts = [_text(rows[field.name], field) for field in self.fields]
        joined = pc.binary_join_element_wise(
            *texts, SEPARATOR, null_handling="replace", null_replacement=NULL
        )
        digests = (hashlib.md5(text.encode(), usedforsecurity=False) for text in joined.to_pylist())
        self.count += rows.num_rows
        self.total += sum(int(digest.hexdigest()[:DIGITS], 16) for digest in digests)


def _text(column: pa.Array, field: Field) -> pa.Array:
    if field.type == "array":
        column = pc.list_value_length(column)
    elif field.type == "timestamp":
        # Without its zone, which is UTC, it is written without one.
        column = column.cast(pa.timestamp("us"))
    return column.cast(pa.string())


@dataclass(frozen=True)
class Dialect:
    """How an engine writes the same.

    Attributes:
        quoted: a name.
        casts: type of a field to how its column becomes text; `{}` is the column.
        number: the number of a text.
        at: a table at a snapshot.
    """

    quoted: str
    casts: dict[str, str]
    number: str
    at: str
    size: str = "cardinality({})"
    text: str = "varchar"

    def query(self, asked: Asked) -> str:
        """The statement for count and checksum."""
        texts = [
            f"coalesce({self._cast(field).format(self.quoted.format(asked.name(field)))}, '{NULL}')"
            for field in asked.sum.fields
        ]
        number = self.number.format(f" || '{SEPARATOR}' || ".join(texts))
        table = self.at.format(*asked.table.split("."), asked.snapshot)
        where = f" where dataset = '{asked.only_dataset}'" if asked.only_dataset else ""
        return f"select count(*), coalesce(sum({number}), 0) from {table}{where}"

    def _cast(self, field: Field) -> str:
        if field.type in self.casts:
            return self.casts[field.type]
        column = self.size if field.type == "array" else "{}"
        return f"cast({column} as {self.text})"


TRINO = Dialect(
    quoted='"{}"',
    casts={"timestamp": "cast(cast({} at time zone 'UTC' as timestamp(6)) as varchar)"},
    number="cast(from_base(substr(to_hex(md5(to_utf8({}))), 1, 12), 16) as decimal(38, 0))",
    at='iceberg."{}"."{}" for version as of {}',
)
SPARK = Dialect(
    quoted="`{}`",
    casts={"timestamp": "date_format({}, 'yyyy-MM-dd HH:mm:ss.SSSSSS')"},
    number="cast(conv(substr(md5({}), 1, 12), 16, 10) as decimal(28, 0))",
    at="iceberg.`{}`.`{}` version as of {}",
    size="if({0} is null, null, size({0}))",
    text="string",
)


@dataclass
class Asked:
    """One table of one subject, at the snapshot that was verified.

    Attributes:
        only_dataset: of the quarantine, which every dataset shares.
        names: what columns were called in that snapshot, which engines use, where otherwise.
    """

    dataset: str
    table: str
    snapshot: int | None
    sum: Sum
    only_dataset: str = ""
    names: Mapping[str, str] = field(default_factory=dict)

    def name(self, column: Field) -> str:
        """What the column is called in the snapshot."""
        return self.names.get(column.name, column.name)


#: Asks an engine: count and checksum of each that has a snapshot, or why one was refused.
Engine = Callable[[Sequence[Asked]], list[tuple[int, int] | str]]
