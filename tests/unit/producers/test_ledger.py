"""The ledger: an intent before each send, its outcome after it, and never a missing line."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from millrace_producers.ledger import Counts, Intent, Ledger, LedgerError, read_ledger, summarise

INTENTS = [Intent("orders", "orders", f"{number:064x}") for number in range(4)]


def test_each_record_has_the_state_that_the_broker_gave_it(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    numbers = ledger.intend(INTENTS)
    ledger.acknowledge(numbers[2], partition=1, offset=77)
    ledger.fail(numbers[0], "refused", 'too large: "1"')
    ledger.fail(numbers[1], "unknown", "timed out")
    ledger.close()
    found = {entry.sha256: entry for entry in read_ledger(tmp_path)}
    assert [found[intent.sha256].state for intent in INTENTS] == [
        "refused",
        "unknown",
        "acknowledged",
        "unknown",  # no outcome at all
    ]
    acknowledged = found[INTENTS[2].sha256]
    assert (acknowledged.topic, acknowledged.partition, acknowledged.offset) == ("orders", 1, 77)
    assert summarise(tmp_path) == {"orders": Counts(acknowledged=1, refused=1, unknown=2)}


def test_intents_are_with_the_operating_system_before_they_may_be_sent(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.intend(INTENTS)
    # Read by another process, while the ledger is open and nothing was closed or flushed.
    seen = subprocess.run(
        [sys.executable, "-c", f"print(open({str(ledger.path)!r}).read().count('sha256'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(seen.stdout) == len(INTENTS)
    ledger.close()


def test_a_run_that_sent_nothing_leaves_no_file(tmp_path: Path) -> None:
    Ledger(tmp_path / "ledger").close()
    assert summarise(tmp_path / "ledger") == {}


@pytest.mark.parametrize(
    ("torn", "expected"),
    [
        pytest.param('{"i":1,"dataset":"or', Counts(unknown=1), id="an intent: it was not sent"),
        pytest.param('{"o":0,"s":"acknow', Counts(unknown=1), id="an outcome: it is unknown"),
        pytest.param(
            '{"o":0,"s":"acknowledged","p":0,"f":5}', Counts(acknowledged=1), id="whole but its end"
        ),
    ],
)
def test_a_torn_last_line_is_tolerated(tmp_path: Path, torn: str, expected: Counts) -> None:
    ledger = Ledger(tmp_path)
    ledger.intend(INTENTS[:1])
    ledger.close()
    with ledger.path.open("a") as stream:
        stream.write(torn)
    assert summarise(tmp_path) == {"orders": expected}


def test_a_damaged_line_in_the_middle_is_an_error_with_its_number(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.intend(INTENTS[:1])
    ledger.close()
    ledger.path.write_text("{]\n" + ledger.path.read_text())
    with pytest.raises(LedgerError, match=rf"{ledger.path.name}:1: is not a line of a ledger"):
        summarise(tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param('{"o":7,"s":"acknowledged","p":0,"f":5}', id="an outcome without its intent"),
        pytest.param('{"o":0,"s":"refused","why":"late"}', id="a second outcome"),
        pytest.param('{"i":7,"dataset":"orders"}', id="an intent without a topic"),
        pytest.param('{"o":0}', id="an outcome without a state"),
        pytest.param('["i"]', id="a list"),
        pytest.param("7", id="a number"),
        pytest.param('{"o":[],"s":"unknown"}', id="an outcome of no record"),
    ],
)
def test_a_line_that_says_nothing_that_can_be_counted_is_named(tmp_path: Path, line: str) -> None:
    ledger = Ledger(tmp_path)
    ledger.acknowledge(ledger.intend(INTENTS[:1])[0], partition=0, offset=5)
    ledger.close()
    with ledger.path.open("a") as stream:
        stream.write(line + "\n")
    with pytest.raises(LedgerError, match="edited or damaged: restore the file") as refused:
        summarise(tmp_path)
    assert refused.value.thing == f"{ledger.path}:3"


def test_runs_write_files_of_their_own_and_leave_older_ones_alone(tmp_path: Path) -> None:
    first = Ledger(tmp_path)
    first.intend(INTENTS)
    first.close()
    before = first.path.read_bytes()
    second = Ledger(tmp_path)
    second.acknowledge(second.intend(INTENTS)[0], 0, 0)
    second.close()
    assert first.path.read_bytes() == before
    assert second.path != first.path
    assert summarise(tmp_path) == {"orders": Counts(acknowledged=1, unknown=7)}


def test_a_full_disk_stops_the_sending_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(tmp_path)
    ledger.intend(INTENTS[:1])
    assert ledger._descriptor is not None
    os.dup2(os.open("/dev/full", os.O_WRONLY), ledger._descriptor)
    with pytest.raises(LedgerError, match="No space left on device"):
        ledger.intend(INTENTS)
    # The place came back; what follows a torn line would be damage, so nothing follows it.
    monkeypatch.setattr(os, "write", lambda *_: pytest.fail("wrote after a failure"))
    with pytest.raises(LedgerError):
        ledger.intend(INTENTS)


PRODUCER = """
    import os, sys
    from pathlib import Path
    from millrace.settings import load
    from millrace_producers.client import make_producer
    from millrace_producers.ledger import Ledger
    from millrace_producers.publisher import Outgoing, Publisher

    folder = Path(sys.argv[1])
    # A broker inside the client library, 20 ms away.
    mock = {"test.mock.num.brokers": 1, "test.mock.broker.rtt": 20, "linger.ms": 1}
    real = make_producer(load(), mock)

    class Watched:
        def __getattr__(self, name):
            return getattr(real, name)

        def __len__(self):
            return len(real)

        def produce(self, topic, value, **rest):
            os.write(sent, value + b"\\n")  # what really was handed over, told by another witness
            real.produce(topic, value=value, **rest)

    sent = os.open(folder / "sent", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    publisher = Publisher(Watched(), Ledger(folder / "ledger"))
    number = 0
    while True:
        batch = [f"{number + index:08d}".encode() for index in range(10)]
        number += len(batch)
        publisher.send([Outgoing("orders", "orders", None, value) for value in batch])
"""


@pytest.mark.timeout(60)
def test_a_producer_that_is_killed_leaves_unknown_and_never_a_missing_line(tmp_path: Path) -> None:
    producer = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PRODUCER), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        while summarise(tmp_path / "ledger").get("orders", Counts()).acknowledged < 1_000:
            assert producer.poll() is None, "the producer ended by itself"
            time.sleep(0.02)
    finally:
        producer.send_signal(signal.SIGKILL)
        producer.wait()
    entries = list(read_ledger(tmp_path / "ledger"))
    sent = (tmp_path / "sent").read_bytes().split()
    digests = {entry.sha256 for entry in entries}
    assert {hashlib.sha256(value).hexdigest() for value in sent} <= digests
    counts = summarise(tmp_path / "ledger")["orders"]
    assert counts.acknowledged >= 1_000
    assert counts.unknown > 0
    assert counts.refused == 0
    assert len(digests) == counts.intended
