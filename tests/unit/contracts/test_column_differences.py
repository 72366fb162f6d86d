"""How a table's columns differ from the wanted ones: pure comparison of two schemas."""

from __future__ import annotations

from typing import Any

import pytest
from pyiceberg.schema import Schema
from pyiceberg.types import (
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    ListType,
    LongType,
    NestedField,
    StringType,
    StructType,
    TimestamptzType,
)

from millrace.apply.evolution import compare


def test_columns_may_be_added_and_widened_at_every_depth() -> None:
    found = Schema(
        NestedField(1, "id", StringType()),
        NestedField(2, "count", IntegerType()),
        NestedField(3, "price", DecimalType(10, 2)),
        NestedField(12, "weight", FloatType()),
        NestedField(4, "box", StructType(NestedField(6, "w", IntegerType()))),
        NestedField(5, "lines", ListType(7, StructType(NestedField(8, "n", IntegerType())))),
    )
    wanted = Schema(
        NestedField(1, "id", StringType(), doc="who"),
        NestedField(2, "count", LongType()),
        NestedField(3, "price", DecimalType(12, 2)),
        NestedField(12, "weight", DoubleType()),
        NestedField(
            4,
            "box",
            StructType(NestedField(6, "w", LongType()), NestedField(9, "h", IntegerType())),
        ),
        NestedField(
            5,
            "lines",
            ListType(
                7,
                StructType(
                    NestedField(8, "n", IntegerType()),
                    NestedField(10, "at", StructType(NestedField(11, "x", LongType()))),
                ),
            ),
        ),
    )
    difference = compare(found, wanted)
    assert difference.added == ("box.h", "lines.at")
    assert difference.widened == (
        "count: int -> long",
        "price: decimal(10, 2) -> decimal(12, 2)",
        "weight: float -> double",
        "box.w: int -> long",
    )
    assert difference.described == ("id",)
    assert not difference.broken


@pytest.mark.parametrize(
    ("found", "wanted", "said"),
    [
        (LongType(), IntegerType(), "n: long -> int is no widening"),
        (IntegerType(), StringType(), "n: int -> string is no widening"),
        (DecimalType(9, 2), DecimalType(9, 3), "is no widening"),
        (DateType(), TimestamptzType(), "n: date -> timestamptz is no widening"),
        (DoubleType(), FloatType(), "n: double -> float is no widening"),
        (ListType(2, LongType()), LongType(), "n: array of long -> long is no widening"),
    ],
)
def test_what_would_break_a_reader_is_told(found: Any, wanted: Any, said: str) -> None:
    difference = compare(Schema(NestedField(1, "n", found)), Schema(NestedField(1, "n", wanted)))
    assert said in difference.broken[0]


def test_a_column_that_is_gone_is_told_unless_it_may_be_missing() -> None:
    found, wanted = Schema(NestedField(1, "n", LongType())), Schema()
    assert compare(found, wanted).broken == ("the column n is gone",)
    assert not compare(found, wanted, may_lack=frozenset({"n"})).broken


def test_a_column_that_seems_to_be_renamed_is_told_with_the_alias_it_wants() -> None:
    found, wanted = Schema(NestedField(1, "n", LongType())), Schema(NestedField(1, "m", LongType()))
    (said,) = compare(found, wanted).broken
    assert said == (
        "the column n is gone (if it is m now, give that the custom property `aliases` with [n])"
    )
