"""Continuous mode: the shop goes on, now, and stops without losing an answer."""

from __future__ import annotations

import os
import signal
import threading
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient

from millrace.contracts import Contract
from millrace.landing.validator import compile_contract
from millrace.settings import Settings
from millrace_producers.client import make_producer
from millrace_producers.encoding import make_encoder
from millrace_producers.ledger import Ledger
from millrace_producers.live import LiveShop, send_until, stop_on_signals
from millrace_producers.progress import Progress
from millrace_producers.publisher import Publisher
from millrace_producers.sample.files import Sizes, generate_records
from millrace_producers.sample.publish import make_outgoing

SMALL = Sizes(customers=60, products=20, locations=5, orders=1)


def test_what_happens_fits_the_contracts_and_happens_now(contracts: dict[str, Contract]) -> None:
    judges = {dataset: compile_contract(contract) for dataset, contract in contracts.items()}
    before = datetime.now(UTC)
    events = list(islice(LiveShop(SMALL).events(), 2_000))
    for dataset, record in events:
        judges[dataset](record)
        assert before <= record["updated_at"] <= datetime.now(UTC) + timedelta(seconds=1)
    assert {dataset for dataset, _ in events} == {"orders", "customers", "products"}
    orders = [record for dataset, record in events if dataset == "orders"]
    assert {"placed", "paid", "shipped", "delivered"} <= {order["status"] for order in orders}


def test_live_records_refer_to_what_the_sample_has() -> None:
    known = generate_records(SMALL)
    ids = {name: {r[f"{name[:-1]}_id"] for r in known[name]} for name in known}
    for dataset, record in islice(LiveShop(SMALL).events(), 1_000):
        if dataset == "orders":
            assert record["customer_id"] in ids["customers"]
            assert record["location_id"] in ids["locations"]
            assert {line["product_id"] for line in record["lines"]} <= ids["products"]
        else:
            assert record[f"{dataset[:-1]}_id"] in ids[dataset]


def test_a_new_price_is_what_the_next_order_pays() -> None:
    prices: dict[str, int] = {}
    checked = 0
    for dataset, record in islice(LiveShop(SMALL).events(), 5_000):
        if dataset == "products":
            prices[record["product_id"]] = record["price_cents"]
        elif dataset == "orders" and record["status"] == "placed":
            for line in record["lines"]:
                expected = prices.get(line["product_id"], line["unit_price_cents"])
                assert line["unit_price_cents"] == expected
                checked += line["product_id"] in prices
    assert checked > 100


def test_no_two_runs_share_an_order_number() -> None:
    def placed(shop: LiveShop) -> list[str]:
        events = islice(shop.events(), 500)
        return [r["order_id"] for d, r in events if d == "orders" and r["status"] == "placed"]

    first, second = placed(LiveShop(SMALL)), placed(LiveShop(SMALL))
    assert len(set(first)) == len(first)
    assert not set(first) & set(second)


@pytest.mark.timeout(60)
def test_a_signal_ends_the_sending_and_every_answer_is_waited_for(
    contracts: dict[str, Contract], registry: SchemaRegistryClient, tmp_path: Path
) -> None:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    stop = stop_on_signals()
    encoders = {name: make_encoder(contract, registry) for name, contract in contracts.items()}
    outgoing = (
        make_outgoing(contracts[name], encoders[name], record)
        for name, record in LiveShop(SMALL).events()
    )
    producer = make_producer(Settings(), {"test.mock.num.brokers": 1, "test.mock.broker.rtt": 50})
    threading.Timer(1, os.kill, (os.getpid(), signal.SIGTERM)).start()
    try:
        with Publisher(producer, Ledger(tmp_path)) as publisher, Progress("live") as progress:
            send_until(publisher, outgoing, progress, rate=500, duration=None, stop=stop)
            publisher.finish(progress)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert 300 < publisher.total.acknowledged < 800
    assert publisher.total.acknowledged == publisher.total.intended


def test_a_duration_ends_the_sending(tmp_path: Path) -> None:
    producer = make_producer(Settings(), {"test.mock.num.brokers": 1})
    with Publisher(producer, Ledger(tmp_path)) as publisher, Progress("live") as progress:
        send_until(publisher, iter(()), progress, rate=10, duration=0.2, stop=threading.Event())
    assert 0.2 <= progress.seconds < 5
