"""How the commands of quarantine are told which records are meant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from millrace.cli.moments import Since
from millrace.landing.reasons import Reason
from millrace.quarantine.records import Position


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
