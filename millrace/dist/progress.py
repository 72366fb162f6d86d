"""What the user sees: one line an event, and what is under way right now.

On a terminal the lines under way are redrawn in place; elsewhere one plain line stands for all
of them, every few seconds, so that a log tells a slow download from a dead one.
"""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

#: Seconds between two drawings on a terminal, and between two lines in a log.
REDRAW, REPEAT = 0.25, 5.0


class Progress:
    """A display shared by the threads that make units."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stdout
        self.live = self.stream.isatty()
        self.started = time.monotonic()
        self._under_way: dict[str, tuple[float, str]] = {}
        self._lock = threading.Lock()
        self._drawn = 0
        self._spoke = self.started
        self._stopped = threading.Event()
        self._ticker = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> Progress:
        self._ticker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._ticker.join()
        with self._lock:
            self._erase()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    def say(self, unit: str, text: str) -> None:
        """Print one event that stays."""
        with self._lock:
            self._erase()
            self.stream.write(f"{self.elapsed:7.1f} s  {unit:<16} {text}\n")
            self._spoke = time.monotonic()
            self._draw()

    def doing(self, unit: str, text: str) -> None:
        """Replace what is shown as under way for a unit."""
        with self._lock:
            began, _ = self._under_way.get(unit, (time.monotonic(), ""))
            self._under_way[unit] = (began, text)

    @contextmanager
    def working(self, unit: str, text: str) -> Iterator[None]:
        """Show a unit as under way for the length of a block."""
        self.doing(unit, text)
        try:
            yield
        finally:
            with self._lock:
                self._under_way.pop(unit, None)

    def _tick(self) -> None:
        while not self._stopped.wait(REDRAW):
            with self._lock:
                if self.live:
                    self._erase()
                    self._draw()
                elif self._under_way and time.monotonic() - self._spoke >= REPEAT:
                    texts = "; ".join(f"{unit}: {text}" for unit, (_, text) in self._lines())
                    self.stream.write(f"{self.elapsed:7.1f} s  {texts}\n")
                    self.stream.flush()
                    self._spoke = time.monotonic()

    def _lines(self) -> list[tuple[str, tuple[float, str]]]:
        return list(self._under_way.items())

    def _erase(self) -> None:
        if self._drawn:
            self.stream.write(f"\x1b[{self._drawn}F\x1b[J")
            self._drawn = 0

    def _draw(self) -> None:
        if self.live:
            width = shutil.get_terminal_size().columns - 1
            now = time.monotonic()
            for unit, (began, text) in self._lines():
                line = f"{now - began:7.1f} s  {unit:<16} … {text}"
                self.stream.write(line[:width] + "\n")
            self._drawn = len(self._under_way)
        self.stream.flush()
