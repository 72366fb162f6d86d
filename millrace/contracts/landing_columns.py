"""Columns that landing adds to every record, and the quarantine table.

The identity of a record is (kafka_topic, kafka_partition, kafka_offset), in raw tables and in
quarantine alike. Both schemas have their final shape here; nothing else lists these columns.
"""

from __future__ import annotations

from pyiceberg.types import (
    BinaryType,
    BooleanType,
    IcebergType,
    IntegerType,
    ListType,
    LongType,
    NestedField,
    StringType,
    StructType,
    TimestamptzType,
)

from millrace.contracts.names import (
    HEADERS_COLUMN,
    PARTITION_SOURCE,
    QUARANTINE_STATES,
    QUARANTINE_TABLE,
    VALUE_COLUMN,
)

__all__ = [
    "HEADERS_COLUMN",
    "LANDING_COLUMNS",
    "PARTITION_SOURCE",
    "QUARANTINE_COLUMNS",
    "QUARANTINE_STATES",
    "QUARANTINE_TABLE",
    "VALUE_COLUMN",
]

#: Kafka's headers: repeated keys are allowed and their order counts, hence a list and no map.
#: The ids are placeholders, assigned afresh with those of the whole schema.
HEADERS = ListType(
    element_id=-1,
    element_type=StructType(
        NestedField(-2, "key", StringType(), required=False),
        NestedField(-3, "value", BinaryType(), required=False),
    ),
    element_required=False,
)

_POSITION: tuple[tuple[str, IcebergType, str], ...] = (
    ("kafka_topic", StringType(), "topic the record was read from"),
    ("kafka_partition", IntegerType(), "partition of the topic"),
    ("kafka_offset", LongType(), "offset in the partition"),
    ("kafka_at", TimestamptzType(), "time of the record in Kafka"),
    ("kafka_key", BinaryType(), "key of the record, as sent"),
    (HEADERS_COLUMN, HEADERS, "headers of the record, in order"),
)
_SCHEMA_ID = ("schema_id", IntegerType(), "registry id that the record was written with")
_DIGEST = ("value_sha256", StringType(), "SHA-256 of the record's bytes, hexadecimal")
_VALUE = (VALUE_COLUMN, BinaryType(), "the record's bytes, as sent")

#: Name, type and comment of each landing column, in table order.
LANDING_COLUMNS: tuple[tuple[str, IcebergType, str], ...] = (
    *_POSITION,
    ("is_tombstone", BooleanType(), "the record had no value: its entity was deleted"),
    _SCHEMA_ID,
    _DIGEST,
    ("landed_at", TimestamptzType(), "when the landing job read it"),
    _VALUE,
)

#: Name, type and comment of each column of `raw.quarantine`, in table order.
QUARANTINE_COLUMNS: tuple[tuple[str, IcebergType, str], ...] = (
    ("dataset", StringType(), "dataset whose contract refused the record"),
    *_POSITION,
    _SCHEMA_ID,
    _DIGEST,
    _VALUE,
    ("reason", StringType(), "class of the fault, a closed list"),
    ("detail", StringType(), "what exactly was wrong"),
    ("field", StringType(), "dotted name of the field at fault, where there is one"),
    ("status", StringType(), "one of " + ", ".join(QUARANTINE_STATES)),
    ("quarantined_at", TimestamptzType(), "when the landing job refused it"),
    ("resolved_at", TimestamptzType(), "when it was replayed or discarded"),
    ("resolution", StringType(), "why it was discarded, or what was replayed"),
    ("replayed_sha256", StringType(), "SHA-256 of the bytes that are in raw for it, hexadecimal"),
)
