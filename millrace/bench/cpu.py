"""Processor time of processes and all their children, as far as samples see it.

A process that lives and dies between two samples is not seen, nor what one uses after its last
sample: of programs that run for seconds and more, that is little.
"""

from __future__ import annotations

import bisect
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import psutil

EVERY_S = 0.5


@dataclass(frozen=True)
class Sample:
    """Seconds of processor time that were used until a moment, in seconds since the epoch."""

    at: float
    cpu_s: float


def used(samples: list[Sample], begin: float, end: float) -> float:
    """Processor time between two moments; between two samples it is taken to be used evenly."""
    return _until(samples, end) - _until(samples, begin)


def _until(samples: list[Sample], moment: float) -> float:
    place = bisect.bisect_right(samples, moment, key=lambda each: each.at)
    if place == 0:
        return 0.0
    before = samples[place - 1]
    if place == len(samples):
        return before.cpu_s
    after = samples[place]
    share = (moment - before.at) / (after.at - before.at)
    return before.cpu_s + share * (after.cpu_s - before.cpu_s)


class CpuMeter:
    """Samples until it is left. A context manager.

    Attributes:
        samples: in the order of time.
    """

    def __init__(
        self, roots: Callable[[], Iterable[psutil.Process]], every_s: float = EVERY_S
    ) -> None:
        """Asks `roots` before each sample: processes come and go."""
        self._roots = roots
        self._every_s = every_s
        self._seen: dict[tuple[int, float], float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.samples: list[Sample] = []

    def __enter__(self) -> CpuMeter:
        self._sample()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._sample()

    @property
    def total_s(self) -> float:
        """All that was seen."""
        return sum(self._seen.values())

    def _work(self) -> None:
        while not self._stop.wait(self._every_s):
            self._sample()

    def _sample(self) -> None:
        for root in self._roots():
            try:
                family = [root, *root.children(recursive=True)]
            except psutil.Error:
                continue
            for process in family:
                self._look(process)
        self.samples.append(Sample(time.time(), self.total_s))

    def _look(self, process: psutil.Process) -> None:
        try:
            times = process.cpu_times()
            key = (process.pid, process.create_time())
        except psutil.Error:
            return
        # A root and the child of another: the same process counts once.
        self._seen[key] = max(self._seen.get(key, 0.0), times.user + times.system)
