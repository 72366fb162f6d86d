"""A contract as an Iceberg schema: the raw table.

Contract columns come first and are all optional, because raw keeps a record's history: a field
that is required today may have been absent yesterday. Field ids are assigned as a catalog does,
level by level, so the schema here equals that of a table just made from it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import pyarrow as pa
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.partitioning import PARTITION_FIELD_ID_START, PartitionField, PartitionSpec
from pyiceberg.schema import Schema, assign_fresh_schema_ids
from pyiceberg.transforms import DayTransform, IdentityTransform
from pyiceberg.types import (
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IcebergType,
    IntegerType,
    ListType,
    LongType,
    NestedField,
    StringType,
    StructType,
    TimestamptzType,
)

from millrace.contracts.landing_columns import (
    LANDING_COLUMNS,
    PARTITION_SOURCE,
    QUARANTINE_COLUMNS,
    VALUE_COLUMN,
)
from millrace.contracts.model import Contract, Field

_PRIMITIVES: dict[str, IcebergType] = {
    "string": StringType(),
    "int": IntegerType(),
    "long": LongType(),
    "float": FloatType(),
    "double": DoubleType(),
    "boolean": BooleanType(),
    "date": DateType(),
    "timestamp": TimestamptzType(),
}


def raw_schema(contract: Contract) -> Schema:
    """The schema of the contract's raw table."""
    landing = (
        column for column in LANDING_COLUMNS if contract.keep_value or column[0] != VALUE_COLUMN
    )
    return _schema(itertools.chain(_own_columns(contract), landing))


def quarantine_schema() -> Schema:
    """The schema of `raw.quarantine`."""
    return _schema(QUARANTINE_COLUMNS)


def raw_partitioning(schema: Schema) -> PartitionSpec:
    """By the day of the record's time in Kafka."""
    source = schema.find_field(PARTITION_SOURCE).field_id
    name = f"{PARTITION_SOURCE}_day"
    return PartitionSpec(PartitionField(source, PARTITION_FIELD_ID_START, DayTransform(), name))


def quarantine_partitioning(schema: Schema) -> PartitionSpec:
    """By dataset: every question about bad records is about one dataset."""
    source = schema.find_field("dataset").field_id
    return PartitionSpec(
        PartitionField(source, PARTITION_FIELD_ID_START, IdentityTransform(), "dataset")
    )


def arrow_schema(contract: Contract, *, landing: bool) -> pa.Schema:
    """The columns as Arrow types: 32-bit offsets as Spark exchanges them, no field metadata."""
    schema = raw_schema(contract) if landing else _schema(_own_columns(contract))
    return pa.schema(_small_field(field) for field in schema_to_pyarrow(schema))


def _schema(columns: Iterable[tuple[str, IcebergType, str]]) -> Schema:
    fields = (
        NestedField(number, name, kind, required=False, doc=comment or None)
        for number, (name, kind, comment) in enumerate(columns, start=1)
    )
    return assign_fresh_schema_ids(Schema(*fields))


def _own_columns(contract: Contract) -> Iterator[tuple[str, IcebergType, str]]:
    ids = itertools.count(-100, -1)
    for field in contract.fields:
        yield field.name, _type(field, ids), field.description


def _type(field: Field, ids: Iterator[int]) -> IcebergType:
    """The Iceberg type; `ids` gives placeholders that only have to differ."""
    if field.type == "struct":
        return StructType(*(_nested(inner, ids) for inner in field.fields))
    if field.type == "array":
        assert field.items is not None
        return ListType(next(ids), _type(field.items, ids), element_required=False)
    if field.decimal is not None:
        return DecimalType(*field.decimal)
    return _PRIMITIVES[field.type]


def _nested(field: Field, ids: Iterator[int]) -> NestedField:
    comment = field.description or None
    return NestedField(next(ids), field.name, _type(field, ids), required=False, doc=comment)


def _small_field(field: pa.Field) -> pa.Field:
    return pa.field(field.name, _small(field.type), nullable=field.nullable)


def _small(kind: pa.DataType) -> pa.DataType:
    """The type without the 64-bit offsets that PyIceberg prefers."""
    if pa.types.is_large_string(kind):
        return pa.string()
    if pa.types.is_large_binary(kind):
        return pa.binary()
    if pa.types.is_large_list(kind) or pa.types.is_list(kind):
        return pa.list_(_small_field(kind.value_field))
    if pa.types.is_struct(kind):
        return pa.struct([_small_field(inner) for inner in kind])
    return kind
