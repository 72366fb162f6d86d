"""How soon a query finds a record: from the producer's clock to the answer of Trino.

What a query sees is told by the newest snapshot's `millrace.offsets`, asked of Trino again and
again: cheaper than a count, and the same. That it is the same is proved in each run: a count that
is asked for between two such questions lies between their answers. A record counts as visible when
the answer has come, so the query's own time is part of the figure.
"""

from __future__ import annotations

import bisect
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from millrace.bench.audit import Ask
from millrace.bench.report import Freshness
from millrace.errors import MillraceError
from millrace.landing.broker import Broker
from millrace.settings import Settings

#: Each question costs Trino some processor time, on the cores that are measured.
POLL_S = 0.2
#: After the last record is sent; what is not visible by then counts as never.
WITHIN_S = 300.0
#: A start of landing, on a machine that is busy.
READY_S = 480.0
SAY_EVERY_S = 15.0
NANO = 1e-9


@dataclass(frozen=True)
class Seen:
    """An answer: when it had come, and the offset that comes next in each partition."""

    at: float
    ends: Mapping[int, int]

    @property
    def rows(self) -> int:
        """How many rows of a topic that began at 0."""
        return sum(self.ends.values())


def ages(followed: Iterable[Sequence[Any]], seen: Sequence[Seen]) -> list[float]:
    """Seconds from making each record to the first answer that has it; infinite where none has.

    Args:
        followed: partition, offset and time of records.
        seen: in the order of time; ends never go back.
    """
    return [_age(int(each[0]), int(each[1]), float(each[2]), seen) for each in followed]


def _age(partition: int, offset: int, at: float, seen: Sequence[Seen]) -> float:
    first = bisect.bisect_right(seen, offset, key=lambda each: each.ends.get(partition, 0))
    return seen[first].at - at if first < len(seen) else math.inf


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values do not exceed (nearest rank).

    Args:
        share: above 0, at most 1.
    """
    # Less a breath: 0.99 * 100 is a little more than 99 in floating point.
    rank = math.ceil(share * len(values) - NANO)
    return sorted(values)[max(0, rank - 1)]


class Watcher:
    """Asks what is visible of one topic's raw table."""

    def __init__(self, ask: Ask, table: str, topic: str) -> None:
        self._ask = ask
        self._table = table
        self._topic = topic
        schema, _, name = table.partition(".")
        self._query = (
            "select element_at(summary, 'millrace.offsets')"
            f' from {schema}."{name}$snapshots" order by committed_at desc limit 1'
        )
        self.seen: list[Seen] = []

    def look(self) -> Seen:
        """What is visible now."""
        rows = self._ask(self._query)
        text = rows[0][0] if rows else None
        offsets = json.loads(text).get(self._topic, {}).get("offsets", {}) if text else {}
        seen = Seen(time.time(), {int(part): int(end) for part, end in offsets.items()})
        self.seen.append(seen)
        return seen

    def prove(self) -> tuple[int, int, int]:
        """Rows by the offsets, by a count, and by the offsets again.

        Raises:
            MillraceError: the count does not lie between the two.
        """
        before = self.look().rows
        counted = int(self._ask(f"select count(*) from {self._table}")[0][0])
        after = self.look().rows
        if not before <= counted <= after:
            cause = f"a query counts {counted:,} rows, the offsets say {before:,} to {after:,}"
            raise MillraceError(f"table {self._table}", cause, "bin/millrace verify")
        return before, counted, after


def measure(
    settings: Settings,
    watcher: Watcher,
    topic: str,
    rate: int,
    seconds: float,
    say: Callable[[str], None],
) -> Freshness:
    """Send at a rate into landing, which runs, and see when the records are visible."""
    load = os.getloadavg()[0]
    first = watcher.look().rows
    out = settings.home / "run" / f"bench-pulse-{rate}.json"
    words = ["--topic", topic, "--rate", str(rate), "--seconds", str(seconds)]
    words += ["--first", str(first), "--out", str(out)]
    sender = subprocess.Popen([sys.executable, "-m", "millrace.bench.pulse", *words])
    proof: tuple[int, int, int] | None = None
    began = said = time.time()
    try:
        while sender.poll() is None:
            watcher.look()
            if proof is None and time.time() - began > seconds / 2:
                proof = watcher.prove()
            if time.time() - said > SAY_EVERY_S:
                said = time.time()
                say(f"{rate:,} rows/s: {watcher.seen[-1].rows - first:,} visible")
            time.sleep(POLL_S)
    finally:
        sender.kill()
        sender.wait()
    if sender.returncode:
        raise MillraceError("the sender", f"ended with {sender.returncode}", f"cat {out}")
    made = json.loads(out.read_text())
    proof = proof or watcher.prove()
    _wait_visible(watcher, _held(settings, topic), WITHIN_S, say)
    found = ages(made["followed"], watcher.seen)
    return Freshness(
        rate=rate,
        sent=made["sent"],
        sent_per_s=made["sent"] / made["seconds"],
        followed=len(found),
        unseen=sum(math.isinf(each) for each in found),
        p50_s=percentile(found, 0.5),
        p99_s=percentile(found, 0.99),
        counted=proof,
        load=load,
    )


def wait_ready(
    settings: Settings, watcher: Watcher, topic: str, folder: Path, say: Callable[[str], None]
) -> None:
    """Send some records, and wait until landing has landed them: it runs and is warm."""
    first = _held(settings, topic)
    folder.mkdir(parents=True, exist_ok=True)
    words = ["--topic", topic, "--rate", "1000", "--seconds", "10", "--first", str(first)]
    words += ["--out", str(folder / "bench-warm.json")]
    subprocess.run([sys.executable, "-m", "millrace.bench.pulse", *words], check=True)
    if not _wait_visible(watcher, _held(settings, topic), READY_S, say):
        cause = f"has not landed the first records within {READY_S:.0f} s"
        raise MillraceError("the landing application", cause, "bin/millrace landing status")


def _held(settings: Settings, topic: str) -> int:
    """How many records the topic holds; it began at 0."""
    return sum(Broker(settings.kafka.address).log_states([topic])[topic].ends.values())


def _wait_visible(watcher: Watcher, rows: int, within_s: float, say: Callable[[str], None]) -> bool:
    began = said = time.time()
    while (visible := watcher.look().rows) < rows:
        if time.time() - began > within_s:
            return False
        if time.time() - said > SAY_EVERY_S:
            said = time.time()
            say(f"{visible:,} of {rows:,} records are visible")
        time.sleep(POLL_S)
    return True
