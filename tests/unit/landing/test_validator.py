"""What a contract makes of a decoded record."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from millrace.contracts.model import Contract, Field
from millrace.landing.reasons import Rejected
from millrace.landing.validator import compile_contract


def judge(*fields: Field) -> Any:
    return compile_contract(Contract("things", "things", "1", "", "", fields))


def verdict(field: Field, value: Any) -> tuple[str, str | None]:
    """Reason and field of a record whose only field has this value."""
    with pytest.raises(Rejected) as refused:
        judge(field)({field.name: value})
    return str(refused.value.reason), refused.value.field


LINES = Field(
    "lines",
    "array",
    min_length=1,
    items=Field(
        "item",
        "struct",
        required=True,
        fields=(Field("id", "string", required=True), Field("quantity", "int", min=1, max=99)),
    ),
)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        (Field("a", "string", required=True), None, "missing_field"),
        (Field("a", "string"), 7, "wrong_type"),
        (Field("a", "string", max_length=3), "abcd", "out_of_range"),
        (Field("a", "string", min_length=1), "", "out_of_range"),
        (Field("a", "string", enum=("x", "y")), "z", "not_allowed"),
        (Field("a", "string", pattern="[a-z]+"), "abc1", "bad_format"),
        # JSON spells half a character so; a UTF-8 column can not hold it.
        (Field("a", "string"), "\ud800", "undecodable"),
        (Field("a", "int"), True, "wrong_type"),
        (Field("a", "int"), 1.0, "wrong_type"),
        (Field("a", "int"), 2**31, "out_of_range"),
        (Field("a", "long"), 2**63, "out_of_range"),
        (Field("a", "long", min=0), -1, "out_of_range"),
        (Field("a", "float"), 3.5e38, "out_of_range"),
        (Field("a", "double"), "1.5", "wrong_type"),
        (Field("a", "double", min=0), float("nan"), "out_of_range"),
        (Field("a", "double"), 10**400, "out_of_range"),
        (Field("a", "boolean"), 1, "wrong_type"),
        (Field("a", "decimal(5,2)"), "1000.00", "out_of_range"),
        (Field("a", "decimal(5,2)"), "1.001", "out_of_range"),
        (Field("a", "decimal(5,2)"), "NaN", "out_of_range"),
        (Field("a", "decimal(5,2)"), "much", "wrong_type"),
        # A binary double is no decimal: 0.1 would not be 0.1.
        (Field("a", "decimal(5,2)"), 0.1, "wrong_type"),
        (Field("a", "timestamp"), "yesterday", "wrong_type"),
        (Field("a", "timestamp"), "2026-01-01T00:00:00", "wrong_type"),
        (Field("a", "timestamp"), 2**62, "out_of_range"),
        (Field("a", "date"), "2026-02-30", "wrong_type"),
        (Field("a", "date"), 10**7, "out_of_range"),
        (Field("a", "struct", fields=()), [], "wrong_type"),
        (Field("a", "array", items=Field("item", "int")), {}, "wrong_type"),
    ],
)
def test_a_value_that_breaks_a_rule_is_refused_with_its_class(
    field: Field, value: Any, reason: str
) -> None:
    assert verdict(field, value) == (reason, "a")


@pytest.mark.parametrize(
    ("lines", "reason", "field"),
    [
        ([], "out_of_range", "lines"),
        ([None], "missing_field", "lines"),
        ([{"quantity": 1}], "missing_field", "lines.id"),
        (
            [{"id": "a", "quantity": 1}, {"id": "b", "quantity": 0}],
            "out_of_range",
            "lines.quantity",
        ),
    ],
)
def test_a_fault_inside_an_array_names_the_nested_field(
    lines: list[Any], reason: str, field: str
) -> None:
    assert verdict(LINES, lines) == (reason, field)


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        ("timestamp", "1970-01-01T01:00:00.000001+01:00", 1),
        ("timestamp", "1970-01-01T00:00:01Z", 1_000_000),
        ("timestamp", -1, -1),
        ("date", "1970-01-02", 1),
        ("decimal(5,2)", "999.9", Decimal("999.9")),
        ("decimal(5,2)", 7, Decimal(7)),
        ("double", 3, 3.0),
        ("string", "Müller", "Müller"),
    ],
)
def test_a_good_value_becomes_what_arrow_takes(kind: str, value: Any, stored: Any) -> None:
    assert judge(Field("a", kind))({"a": value}) == {"a": stored}


def test_an_absent_optional_field_is_null_and_an_unknown_one_is_left_out() -> None:
    assert judge(Field("a", "string"))({"b": 1}) == {"a": None}


def test_a_record_that_is_no_object_is_of_the_wrong_type() -> None:
    with pytest.raises(Rejected, match="wrong_type"):
        judge(Field("a", "string"))([1, 2])


def test_the_detail_does_not_repeat_a_huge_value() -> None:
    with pytest.raises(Rejected) as refused:
        judge(Field("a", "int"))({"a": "x" * 10_000})
    assert len(refused.value.detail) < 200


def test_a_value_under_a_former_name_is_the_fields_own() -> None:
    inner = (Field("width", "long", required=True, aliases=("w",)),)
    judged = judge(
        Field("url", "string", required=True, aliases=("address", "page")),
        Field("box", "struct", fields=inner, aliases=("parcel",)),
    )
    assert judged({"page": "/", "parcel": {"w": 3}}) == {"url": "/", "box": {"width": 3}}
    assert judged({"url": "/new", "page": "/", "box": None}) == {"url": "/new", "box": None}
    with pytest.raises(Rejected) as refused:
        judged({"url": None, "page": "/"})
    assert refused.value.field == "url"
