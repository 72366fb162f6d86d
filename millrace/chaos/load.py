"""The records that flow while faults are made: a steady rate, bad ones among them, with a ledger.

One thread owns the client. A client that has given up is replaced, which begins another run of the
ledger; what it did not hear of is unknown there. Pausing waits for every answer.
"""

from __future__ import annotations

import json
import queue
import random
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from millrace.chaos.evidence import Mark
from millrace.contracts import Contract
from millrace.errors import MillraceError
from millrace.settings import Settings
from millrace_producers import client
from millrace_producers.encoding import Encoder, Record
from millrace_producers.ledger import Ledger
from millrace_producers.publisher import Outgoing, Publisher
from millrace_producers.sample.bad import plant
from millrace_producers.sample.publish import make_encoders, make_outgoing

#: What two busy cores land beside a driver that is being started again.
RATE = 200.0
BAD_SHARE = 0.01
TICK_S = 0.1
#: Records are made in blocks, each with a bad record of every class.
BLOCK = 500
#: Of so many blocks one is of another dataset than the first.
FIRST_SHARE = 5
KINDS = ("opened", "changed", "closed")
#: A client that has given up gets another one after this.
PAUSE_S = 1.0


class Position(NamedTuple):
    """Where the broker has a record."""

    dataset: str
    partition: int
    offset: int


class Load:
    """Sends until it is stopped. A context manager.

    Attributes:
        rate: records a second; may be changed at any time.
        troubles: why clients had to be replaced.
    """

    def __init__(
        self, settings: Settings, contracts: Sequence[Contract], seed: int, rate: float = RATE
    ) -> None:
        self._settings = settings
        self._contracts = contracts
        self._rng = random.Random(seed)  # noqa: S311 - test data that can be made again
        self._run = f"{seed}-{time.time_ns() // 1_000_000}"
        self._number = 0
        self._bad: set[str] = set()
        self._extra: queue.Queue[Sequence[Outgoing]] = queue.Queue()
        self._ledgers: list[Ledger] = []
        self._publisher: Publisher | None = None
        self._encoders: dict[str, Encoder] = {}
        self._stop, self._paused, self._idle = (threading.Event() for _ in range(3))
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.rate = rate
        self.troubles: list[str] = []

    def __enter__(self) -> Load:
        self._registry = client.make_registry(self._settings)
        self._encoders = make_encoders(self._registry, self._settings, self._contracts)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=60)
        # Its connection would be found open by whoever collects the garbage.
        self._registry.close()

    @property
    def ledger(self) -> Path:
        """The folder of the ledger."""
        return self._settings.ledger

    @property
    def waiting(self) -> int:
        """Records that are sent and not yet answered."""
        return self._publisher.waiting if self._publisher else 0

    def send(self, batch: Sequence[Outgoing], *, bad: bool = False) -> None:
        """Send these once, between the others, under the same ledger; bad ones never reach raw."""
        if bad:
            self._bad.update(sha256(each.value).hexdigest() for each in batch)
        self._extra.put(batch)

    def pause(self, within_s: float = 320.0) -> None:
        """Stop sending and wait for every answer; the client gives up after five minutes.

        Raises:
            MillraceError: the answers did not come.
        """
        self._idle.clear()
        self._paused.set()
        if not self._idle.wait(within_s):
            raise MillraceError(
                "the load", f"has no answers after {within_s:.0f} s", "make logs SERVICE=kafka"
            )

    def resume(self) -> None:
        """Go on sending."""
        self._paused.clear()

    def mark(self) -> Mark:
        """The present end of the ledger."""
        runs = len(self._ledgers)
        path = self._ledgers[-1].path if runs else None
        return Mark(runs, path.stat().st_size if path and path.exists() else 0)

    def unanswered(self, sent: Mark, answered: Mark) -> int:
        """How many records that were sent at one mark had no outcome at a later one."""
        path = self._ledgers[sent.runs - 1].path if sent.runs else None
        if path is None or not path.exists():
            return 0
        end = answered.size if answered.runs == sent.runs else path.stat().st_size
        waiting: set[int] = set()
        read = 0
        with path.open("rb") as file:
            for raw in file:
                read += len(raw)
                if read > end:
                    break
                line = json.loads(raw)
                if "o" in line:
                    waiting.discard(line["o"])
                elif read <= sent.size:
                    waiting.add(line["i"])
        return len(waiting)

    def first_acknowledged_since(self, mark: Mark) -> Position | None:
        """Where the first good record is that was sent after the mark and acknowledged."""
        for index, ledger in enumerate(self._ledgers[max(0, mark.runs - 1) :]):
            if not ledger.path.exists():
                continue
            skipped = mark.size if index == 0 and mark.runs else 0
            if found := self._first_acknowledged(ledger.path, skipped):
                return found
        return None

    def _first_acknowledged(self, path: Path, skipped: int) -> Position | None:
        sent: dict[int, str] = {}
        with path.open("rb") as file:
            file.seek(skipped)
            for raw in file:
                if not raw.endswith(b"\n"):
                    return None
                line = json.loads(raw)
                if "i" in line and line["sha256"] not in self._bad:
                    sent[line["i"]] = line["dataset"]
                elif line.get("s") == "acknowledged" and line["o"] in sent:
                    return Position(sent[line["o"]], line["p"], line["f"])
        return None

    def _work(self) -> None:
        records = self._records()
        while not self._stop.is_set():
            ledger = Ledger(self._settings.ledger)
            self._ledgers.append(ledger)
            try:
                with Publisher(client.make_producer(self._settings), ledger) as publisher:
                    self._publisher = publisher
                    self._send_until_stopped(publisher, records)
                    publisher.finish()
            except MillraceError as error:
                self.troubles.append(str(error))
                self._stop.wait(PAUSE_S)
        self._idle.set()

    def _send_until_stopped(self, publisher: Publisher, records: Iterator[Outgoing]) -> None:
        due, last = 0.0, time.monotonic()
        while not self._stop.is_set():
            if self._paused.is_set():
                if not self._idle.is_set():
                    self._finish(publisher)
                self._stop.wait(TICK_S)
                last = time.monotonic()
                continue
            now = time.monotonic()
            due, last = min(due + (now - last) * self.rate, 2 * self.rate), now
            while not self._extra.empty():
                publisher.send(list(self._extra.get()))
            if due >= 1:
                publisher.send([next(records) for _ in range(int(due))])
                due -= int(due)
            publisher.poll(TICK_S)

    def _finish(self, publisher: Publisher) -> None:
        """Wait for the answers; one that did not come is in the ledger, and no reason to stop."""
        try:
            publisher.finish()
        except MillraceError as error:
            if str(error) not in self.troubles:
                self.troubles.append(str(error))
        self._idle.set()

    def _records(self) -> Iterator[Outgoing]:
        """Records without end, made when they are asked for; most are of the first contract."""
        first, *others = self._contracts
        while True:
            for other in others or [first]:
                for contract in (*[first] * (FIRST_SHARE - 1), other):
                    yield from self._block(contract)

    def _block(self, contract: Contract) -> Iterator[Outgoing]:
        encode = self._encoders[contract.dataset]
        good = [self._record() for _ in range(BLOCK)]
        bad = plant(contract, good, BAD_SHARE, self._rng)
        for index, record in enumerate(good):
            for each in (each for each in bad if each.before == index):
                outgoing = make_outgoing(contract, encode, each)
                self._bad.add(sha256(outgoing.value).hexdigest())
                yield outgoing
            yield make_outgoing(contract, encode, record)

    def _record(self) -> Record:
        self._number += 1
        return {
            "event_id": f"{self._run}-{self._number:08d}",
            "kind": self._rng.choice(KINDS),
            "amount_cents": self._rng.randrange(1_000_000),
            "note": "".join(self._rng.choices("abcdefgh ", k=self._rng.randrange(100))),
            "happened_at": datetime.now(UTC),
        }
