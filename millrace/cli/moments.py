"""How every command is told a moment: so long ago, or a time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Since(click.ParamType[datetime]):
    """A moment: `90m`, `1h` or `7d` ago, or a time in ISO 8601 (UTC where it names no zone)."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """The moment, in UTC."""
        if isinstance(value, datetime):
            return value
        try:
            if ago := re.fullmatch(r"(\d+)([smhd])", str(value)):
                return datetime.now(UTC) - timedelta(**{UNITS[ago[2]]: int(ago[1])})
            moment = datetime.fromisoformat(str(value))
        except (ValueError, OverflowError):  # the second: before the first year there is
            self.fail(f"{value!r} is no moment such as 1h, 7d or 2026-05-04T10:30", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
