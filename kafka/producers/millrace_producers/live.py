"""Continuous mode: the shop goes on selling, now.

New orders, further states of the orders of this run, and now and then a customer who moves or a
product with a new price, all at the current time. Customers, products and locations are those of
the generated sample (its seed and sizes, or the defaults), so that references hold once the sample
is published; order numbers start at the clock, so that no two runs share one.
"""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from millrace.contracts import Contract, find
from millrace.errors import MillraceError
from millrace.settings import Settings
from millrace_producers import client
from millrace_producers.encoding import Record
from millrace_producers.ledger import Counts, Ledger
from millrace_producers.progress import Progress
from millrace_producers.publisher import Outgoing, Pace, Publisher
from millrace_producers.sample.entities import change_customer, reprice
from millrace_producers.sample.files import DATASETS, Sizes, generate_shop, read_manifest
from millrace_producers.sample.orders import next_state
from millrace_producers.sample.publish import connect, make_outgoing

#: Shares of what happens; the rest are new orders.
STATUS_SHARE, CUSTOMER_SHARE, PRODUCT_SHARE = 0.55, 0.03, 0.02
#: Orders that may still come along; older ones stay as they are.
OPEN_ORDERS = 10_000
#: Batches leave so many times a second.
TICKS = 10
LARGEST_BATCH = 2_000


class LiveShop:
    """An endless stream of what happens in the shop."""

    def __init__(self, sizes: Sizes) -> None:
        self._rng = random.Random()  # noqa: S311 - live data is not to repeat itself
        self._shop, self._names = generate_shop(sizes)
        self._customers = [history[-1] for history in self._shop.customers]
        self._products = [history[-1] for history in self._shop.products]
        self._next_order = time.time_ns() // 1_000
        self._open: list[Record] = []

    def events(self) -> Iterator[tuple[str, Record]]:
        """Dataset and record of what happens, without end, at the time it is asked for."""
        while True:
            yield self._event(datetime.now(UTC))

    def _event(self, now: datetime) -> tuple[str, Record]:
        rng, dice = self._rng, self._rng.random()
        if dice < STATUS_SHARE and self._open:
            return "orders", self._come_along(now)
        dice = rng.random()
        if dice < CUSTOMER_SHARE:
            index = rng.randrange(len(self._customers))
            changed = change_customer(rng, self._names, self._customers[index], now)
            self._customers[index] = changed
            return "customers", changed
        if dice < CUSTOMER_SHARE + PRODUCT_SHARE:
            index = rng.randrange(len(self._products))
            changed = reprice(rng, self._products[index], now)
            self._products[index] = changed
            # Orders look prices up in the history, whose last state this now is.
            self._shop.products[index][-1] = changed
            return "products", changed
        return "orders", self._place(now)

    def _place(self, now: datetime) -> Record:
        order = self._shop.place_order(f"O{self._next_order}", now)
        self._next_order += 1
        if len(self._open) < OPEN_ORDERS:
            self._open.append(order)
        return order

    def _come_along(self, now: datetime) -> Record:
        """The next state of some open order, now; one that has come to its end is placed anew."""
        index = self._rng.randrange(len(self._open))
        state = next_state(self._rng, self._open[index])
        self._open[index] = self._open[-1]
        self._open.pop()
        if state is None:
            return self._place(now)
        state["updated_at"] = now
        self._open.append(state)
        return state


def produce_continuously(
    settings: Settings,
    contracts: Mapping[str, Contract],
    rate: float,
    duration: float | None,
    stop: threading.Event,
) -> tuple[dict[str, Counts], Path]:
    """Send live records at a rate until the duration is over or `stop` is set.

    Returns:
        What became of the records of each dataset, and the ledger of this run.

    Raises:
        MillraceError: a service is away, or not every record was acknowledged.
    """
    chosen = [find(dataset, contracts) for dataset in DATASETS]
    encoders = connect(settings, chosen)
    producer = client.make_producer(settings)
    client.require_topics(producer, settings, {each.topic for each in chosen})
    events = LiveShop(_sizes(settings)).events()
    outgoing = (
        make_outgoing(contracts[dataset], encoders[dataset], record) for dataset, record in events
    )
    ledger = Ledger(settings.ledger)
    with Publisher(producer, ledger) as publisher, Progress("live") as progress:
        send_until(publisher, outgoing, progress, rate, duration, stop)
        publisher.finish(progress)
        return publisher.counts, ledger.path


def send_until(
    publisher: Publisher,
    outgoing: Iterator[Outgoing],
    progress: Progress,
    rate: float,
    duration: float | None,
    stop: threading.Event,
) -> None:
    """Send at a rate, however long; what could not be sent in time is made up for."""
    size = max(1, min(LARGEST_BATCH, int(rate / TICKS)))
    pace, sent = Pace(rate), 0
    while not stop.is_set():
        if duration is not None and progress.seconds >= duration:
            return
        if (wait := pace.seconds_until(sent)) > 0:
            publisher.poll(min(wait, 1 / TICKS))
            continue
        publisher.send(list(islice(outgoing, size)))
        sent += size
        progress.show(sent)


def stop_on_signals() -> threading.Event:
    """An event that SIGINT and SIGTERM set; a second signal ends the process as usual."""
    stop = threading.Event()

    def handle(number: int, frame: object) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGTERM, handle)
    return stop


def _sizes(settings: Settings) -> Sizes:
    """The sizes of the generated sample, or the defaults where none was generated."""
    try:
        manifest = read_manifest(settings.sample)
    except MillraceError:
        return Sizes()
    return Sizes(**{field.name: manifest[field.name] for field in fields(Sizes)})
