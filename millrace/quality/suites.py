"""What is expected of each processed table: its contract, its relations, and the sums of orders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from millrace.contracts import Field
from millrace.processed import ProcessedTable
from millrace.quality.frames import NESTED, references, relation_column
from millrace.quality.library import gxe

LINES_TOTAL = "total_cents_of_lines"


@dataclass(frozen=True)
class Expected:
    """An expectation and its meaning in words, for people who do not know the library."""

    words: str
    expectation: Any


def expected_of(table: ProcessedTable, names: Sequence[str]) -> list[Expected]:
    """All that is expected of a table, beside others of these names."""
    found = [_unique(table.key)]
    for field in table.fields:
        found += _of_field(field, required=field.required or field.name in table.key)
    for column, target, name in references(table, names):
        relation = relation_column(column, target)
        words = f"{column} is in processed.{target}.{name}"
        found.append(Expected(words, gxe.ExpectColumnValuesToBeInSet(
            column=relation, value_set=[True])))  # fmt: skip
    if table.name == "orders" and "order_lines" in names:
        found.append(_total())
    return found


def with_totals(frames: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The orders with the sum of their lines; no lines are a sum of nothing."""
    if not {"orders", "order_lines"} <= frames.keys():
        return dict(frames)
    orders, lines = frames["orders"], frames["order_lines"]
    amounts = lines["quantity"] * lines["unit_price_cents"] - lines["discount_cents"]
    totals = amounts.groupby(lines["order_id"]).sum()
    sums = orders["order_id"].map(totals).fillna(0).astype("int64")
    return {**frames, "orders": orders.assign(**{LINES_TOTAL: sums})}


def _unique(key: Sequence[str]) -> Expected:
    words = f"{' and '.join(key)} is unique"
    if len(key) == 1:
        return Expected(words, gxe.ExpectColumnValuesToBeUnique(column=key[0]))
    return Expected(words, gxe.ExpectCompoundColumnsToBeUnique(column_list=list(key)))


def _total() -> Expected:
    return Expected(
        "total_cents is the sum of the order's lines",
        gxe.ExpectColumnPairValuesToBeEqual(
            column_A="total_cents", column_B=LINES_TOTAL, ignore_row_if="either_value_is_missing"
        ),
    )


def _of_field(field: Field, *, required: bool) -> Iterator[Expected]:
    """A column's expectations; of nested columns nothing but their presence can be looked at."""
    column = field.name
    if field.type in NESTED:
        return
    if required:
        yield Expected(f"{column} is given", gxe.ExpectColumnValuesToNotBeNull(column=column))
    if field.min is not None or field.max is not None:
        yield Expected(
            f"{column} is {_range(field.min, field.max)}",
            gxe.ExpectColumnValuesToBeBetween(
                column=column, min_value=field.min, max_value=field.max
            ),
        )
    if field.type == "string" and (field.min_length, field.max_length) != (None, None):
        yield Expected(
            f"{column} has {_range(field.min_length, field.max_length)} characters",
            gxe.ExpectColumnValueLengthsToBeBetween(
                column=column, min_value=field.min_length, max_value=field.max_length
            ),
        )
    if field.enum:
        yield Expected(
            f"{column} is one of {', '.join(field.enum)}",
            gxe.ExpectColumnValuesToBeInSet(column=column, value_set=list(field.enum)),
        )
    if field.pattern is not None:
        yield Expected(
            f"{column} matches {field.pattern}",
            gxe.ExpectColumnValuesToMatchRegex(column=column, regex=rf"\A(?:{field.pattern})\Z"),
        )


def _range(least: object, most: object) -> str:
    if most is None:
        return f"{least} or more"
    return f"at most {most}" if least is None else f"{least} to {most}"
