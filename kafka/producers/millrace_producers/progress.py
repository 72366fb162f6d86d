"""Progress of a send: a live line on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

import click
from rich.console import Console
from rich.status import Status

#: Nothing is shown of what takes no longer than this.
QUIET_SECONDS = 2.0
#: Between the plain lines of a log.
LINE_SECONDS = 5.0
#: Between the updates of the live line.
LIVE_SECONDS = 0.2


class Progress:
    """Shows `doing: 12,000 of 40,000 records (3,100/s)`; a total of None is open-ended."""

    def __init__(self, doing: str, total: int | None = None) -> None:
        self._doing = doing
        self._total = total
        self._started = time.monotonic()
        self._is_live = sys.stderr.isatty()
        self._next = self._started + QUIET_SECONDS
        self._status: Status | None = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._status:
            self._status.stop()

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._started

    def show(self, done: int, note: str = "") -> None:
        """Show how far it is, if it is time to."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + (LIVE_SECONDS if self._is_live else LINE_SECONDS)
        of_all = f" of {self._total:,}" if self._total else ""
        rate = done / max(self.seconds, 1e-9)
        line = f"{self._doing}: {done:,}{of_all} records ({rate:,.0f}/s)"
        line = f"{line}, {note}" if note else line
        if not self._is_live:
            click.echo(line, err=True)
        elif self._status:
            self._status.update(line)
        else:
            self._status = Console(stderr=True).status(line)
            self._status.start()
