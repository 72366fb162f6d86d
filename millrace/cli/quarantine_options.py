"""How the commands of quarantine are told which records are meant."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from millrace.landing.reasons import Reason
from millrace.quarantine.records import Position

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class PositionType(click.ParamType[Position]):
    """A record's place: `orders:0:123`, its topic, partition and offset."""

    name = "topic:partition:offset"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Position:
        """The position."""
        if isinstance(value, Position):
            return value
        try:
            return Position.parse(str(value))
        except ValueError:
            self.fail(f"{value!r} is no position such as orders:0:123", param, ctx)


class Since(click.ParamType[datetime]):
    """A moment: `90m`, `1h` or `7d` ago, or a time in ISO 8601 (UTC where it names no zone)."""

    name = "since"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """The moment, in UTC."""
        if isinstance(value, datetime):
            return value
        if ago := re.fullmatch(r"(\d+)([smhd])", str(value)):
            return datetime.now(UTC) - timedelta(**{UNITS[ago[2]]: int(ago[1])})
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no moment such as 1h, 7d or 2026-05-04T10:30", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


Command = Callable[..., Any]
datasets_option = click.option("--dataset", "datasets", multiple=True, help="Only of these.")
since_option = click.option("--since", type=Since(), help="Quarantined since: 1h, 7d, or a time.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def class_option(*names: str) -> Callable[[Command], Command]:
    """Records of one class of fault."""
    return click.option(
        *names,
        "reasons",
        type=click.Choice([str(each) for each in Reason]),
        multiple=True,
        help="Only of this class of fault.",
    )
