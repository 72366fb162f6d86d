"""Judges of single values: is it of the type, does it fit the column, does it keep the checks.

A judge takes a value that is not null and returns it as Arrow wants it, or raises `Rejected`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from millrace.contracts.model import Field
from millrace.landing.reasons import Reason, Rejected

Judge = Callable[[Any], Any]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_DAY = date(1970, 1, 1)
MICROSECOND = timedelta(microseconds=1)
#: Years 1 to 9999: what every engine that reads the table can show.
MICROS = (-62_135_596_800_000_000, 253_402_300_799_999_999)
DAYS = (-719_162, 2_932_896)
INT = (-(2**31), 2**31 - 1)
LONG = (-(2**63), 2**63 - 1)
#: Of 32 bits (IEEE 754).
LARGEST_FLOAT = (2 - 2**-23) * 2.0**127
#: Detail is for people; a value of megabytes is not.
SHOWN = 80


def scalar(field: Field, path: str) -> Judge:
    """The judge of a field that is neither a struct nor an array."""
    if field.decimal is not None:
        return _decimal(field, path, *field.decimal)
    if field.type in ("int", "long"):
        return _whole(field, path, INT if field.type == "int" else LONG)
    judges = {
        "string": _string,
        "float": _float,
        "double": _double,
        "boolean": _boolean,
        "date": _date,
        "timestamp": _timestamp,
    }
    return judges[field.type](field, path)


def _string(field: Field, path: str) -> Judge:
    pattern = re.compile(field.pattern) if field.pattern is not None else None
    allowed = frozenset(field.enum)
    check_length = length_check(field, path, "characters")

    def judge(value: Any) -> str:
        if not isinstance(value, str):
            raise wrong_type(path, "a string", value)
        if not value.isascii():
            _refuse_surrogates(value, path)
        check_length(value)
        if allowed and value not in allowed:
            raise Rejected(Reason.NOT_ALLOWED, f"{path} is {_show(value)}", path)
        if pattern is not None and pattern.fullmatch(value) is None:
            detail = f"{path} is {_show(value)}, not of the form {pattern.pattern}"
            raise Rejected(Reason.BAD_FORMAT, detail, path)
        return value

    return judge


def _refuse_surrogates(value: str, path: str) -> None:
    """JSON can spell half a character (`\\ud800`), which no UTF-8 column can hold."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Rejected(Reason.UNDECODABLE, f"{path} is not Unicode text", path) from None


def _whole(field: Field, path: str, fits: tuple[int, int]) -> Judge:
    low, high = fits
    check_bounds = _bounds(field, path)

    def judge(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise wrong_type(path, "a whole number", value)
        if not low <= value <= high:
            raise Rejected(Reason.OUT_OF_RANGE, f"{path} does not fit {field.type}", path)
        check_bounds(value)
        return value

    return judge


def _double(field: Field, path: str) -> Judge:
    check_bounds = _bounds(field, path)

    def judge(value: Any) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise wrong_type(path, "a number", value)
        try:
            number = float(value)
        except OverflowError:
            raise Rejected(Reason.OUT_OF_RANGE, f"{path} does not fit double", path) from None
        check_bounds(number)
        return number

    return judge


def _float(field: Field, path: str) -> Judge:
    judge_double = _double(field, path)

    def judge(value: Any) -> float:
        number: float = judge_double(value)
        if math.isfinite(number) and abs(number) > LARGEST_FLOAT:
            raise Rejected(Reason.OUT_OF_RANGE, f"{path} does not fit float", path)
        return number

    return judge


def _decimal(field: Field, path: str, precision: int, scale: int) -> Judge:
    check_bounds = _bounds(field, path)

    def judge(value: Any) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, Decimal | int | str):
            raise wrong_type(path, f"a decimal({precision},{scale}) written as a string", value)
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise wrong_type(path, f"a decimal({precision},{scale})", value) from None
        exponent = number.as_tuple().exponent
        if not isinstance(exponent, int):
            raise Rejected(Reason.OUT_OF_RANGE, f"{path} is not finite", path)
        if -exponent > scale or number.adjusted() >= precision - scale:
            detail = f"{path} does not fit decimal({precision},{scale})"
            raise Rejected(Reason.OUT_OF_RANGE, detail, path)
        check_bounds(number)
        return number

    return judge


def _boolean(field: Field, path: str) -> Judge:
    def judge(value: Any) -> bool:
        if not isinstance(value, bool):
            raise wrong_type(path, "true or false", value)
        return value

    return judge


def _timestamp(field: Field, path: str) -> Judge:
    """Microseconds since the epoch; JSON spells a time in ISO 8601 with its zone."""

    def judge(value: Any) -> int:
        given = value
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                raise wrong_type(path, "a time in ISO 8601", given) from None
        if isinstance(value, datetime):
            if value.tzinfo is None:
                raise wrong_type(path, "a time with its zone", given)
            value = (value - EPOCH) // MICROSECOND
        return _moment(value, given, path, "a time", MICROS)

    return judge


def _date(field: Field, path: str) -> Judge:
    """Days since the epoch; JSON spells a date in ISO 8601."""

    def judge(value: Any) -> int:
        given = value
        if isinstance(value, str):
            try:
                value = date.fromisoformat(value)
            except ValueError:
                raise wrong_type(path, "a date in ISO 8601", given) from None
        if isinstance(value, date):
            value = (value - EPOCH_DAY).days
        return _moment(value, given, path, "a date", DAYS)

    return judge


def _moment(value: Any, given: Any, path: str, kind: str, fits: tuple[int, int]) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise wrong_type(path, kind, given)
    if not fits[0] <= value <= fits[1]:
        raise Rejected(Reason.OUT_OF_RANGE, f"{path} is outside the years 1 to 9999", path)
    return value


def _bounds(field: Field, path: str) -> Callable[[Any], None]:
    low, high = field.min, field.max
    if low is None and high is None:
        return _pass

    def check(value: Any) -> None:
        # Written so that NaN, which compares as false, is refused.
        if not ((low is None or value >= low) and (high is None or value <= high)):
            detail = f"{path} is {value}, not {_interval(low, high)}"
            raise Rejected(Reason.OUT_OF_RANGE, detail, path)

    return check


def length_check(field: Field, path: str, unit: str) -> Callable[[Any], None]:
    """The check of a length in characters or items."""
    low, high = field.min_length, field.max_length
    if low is None and high is None:
        return _pass

    def check(value: Any) -> None:
        if not (low or 0) <= len(value) <= (len(value) if high is None else high):
            detail = f"{path} has {len(value)} {unit}, not {_interval(low, high)}"
            raise Rejected(Reason.OUT_OF_RANGE, detail, path)

    return check


def _pass(value: Any) -> None:
    """No constraint."""


def _interval(low: Any, high: Any) -> str:
    if high is None:
        return f"{low} or more"
    return f"{high} or less" if low is None else f"{low} to {high}"


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def wrong_type(path: str, wanted: str, value: Any) -> Rejected:
    """The verdict on a value that is not of its type."""
    where = path or "the record"
    return Rejected(Reason.WRONG_TYPE, f"{where} is {_show(value)}, not {wanted}", path or None)
