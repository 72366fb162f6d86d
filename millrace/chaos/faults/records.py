"""Records that a stream does not hope for: each has one place, and nobody has to look after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from pyiceberg.expressions import In

from millrace.chaos.evidence import Witness
from millrace.chaos.fault import Fault
from millrace.chaos.faults import odd_records
from millrace.chaos.faults.held_file import of_tier
from millrace.chaos.triggers import until
from millrace.contracts import Contract
from millrace.contracts.names import QUARANTINE_TABLE
from millrace_producers import client
from millrace_producers.encoding import Encoder, Record
from millrace_producers.ledger import Ledger
from millrace_producers.publisher import Outgoing, Publisher
from millrace_producers.sample.publish import connect

if TYPE_CHECKING:
    from millrace.chaos.world import World

Row = dict[str, Any]
COLUMNS = ("event_id", "happened_at", "kafka_at", "kafka_partition", "kafka_offset")

RECORDS = 200
OF_EACH_CLASS = 25
TIMES = 3
#: A topic that takes what landing does not, and a client that sends it.
LARGE_BYTES = odd_records.OVERSIZE_BYTES + 65_536
TOO_LARGE_FOR_BROKER_BYTES = 1_200_000


class PoisonRecords(Fault):
    """Every class of bad record at once, in one batch with good ones."""

    name = "poison-records"
    title = "bad records of every class, many at once"
    needs = (("present", "quarantine:"), ("absent", "misjudged:"))

    def strike(self, world: World, witness: Witness) -> None:
        """Send them, wait until all are quarantined, compare the classes."""
        contract, encode = _target(world)
        made = odd_records.poison(
            contract, encode, _records("poison", 50), OF_EACH_CLASS, world.rng
        )
        expected = {_digest(each.outgoing): str(each.reason) for each in made}
        world.load.send([each.outgoing for each in made], bad=True)
        witness.strike()
        found = until(
            f"{len(expected)} bad records in quarantine",
            lambda: _all(_quarantined(world, set(expected)), expected),
            self.recovers_within_s,
            poll_s=1.0,
        )
        witness.see("present", f"quarantine:{contract.dataset}", None, f"{len(found)} records")
        wrong = [f"{was} as {found[at]}" for at, was in expected.items() if found[at] != was]
        witness.see("absent", f"misjudged:{contract.dataset}", "none", " ".join(wrong) or None)


class OddRecords(Fault):
    """Good records that come twice and thrice, in no order, and forty days late."""

    name = "doubled-unordered-late-records"
    title = "a producer's duplicates, out of order, 40 days late"
    needs = (("present", "raw:doubled"), ("present", "raw:unordered"), ("present", "raw:late"))

    def strike(self, world: World, witness: Witness) -> None:
        """Send them; raw mirrors the log, so each has as many rows as it was sent."""
        contract, encode = _target(world)
        kinds = {
            "doubled": _records("doubled", RECORDS),
            "unordered": odd_records.out_of_order(_records("unordered", RECORDS), world.rng),
            "late": odd_records.late(_records("late", RECORDS), datetime.now(UTC)),
        }
        sent: dict[str, list[Outgoing]] = {}
        for kind, records in kinds.items():
            out = [odd_records.outgoing(contract, encode, each) for each in records]
            sent[kind] = list(odd_records.doubled(out, TIMES if kind == "doubled" else 1))
            world.load.send(sent[kind])
        witness.strike()
        for kind, out in sent.items():
            rows = until(
                f"{len(out)} {kind} records in {contract.raw_table}",
                lambda out=out: _rows(world, contract, out),  # type: ignore[misc]
                self.recovers_within_s,
                poll_s=1.0,
            )
            witness.see("present", f"raw:{kind}", None, SEEN[kind](rows))


class OversizeRecords(Fault):
    """Records that the broker refuses, and some that it takes and landing does not."""

    name = "oversize-records"
    title = "records over the broker's limit, and over landing's"
    needs = (("refused", "ledger:"), ("present", "quarantine:"))

    def strike(self, world: World, witness: Witness) -> None:
        """Send both kinds; the topic's limit is raised for the second."""
        contract, _ = _target(world)
        too_large = odd_records.oversize(contract, b"k", TOO_LARGE_FOR_BROKER_BYTES)
        world.load.send([too_large], bad=True)
        witness.strike()
        digest = _digest(too_large)
        line = until("the refusal of a record over the limit", lambda: _refusal(world, digest))
        witness.see("refused", f"ledger:{contract.dataset}", digest, line)
        _set_limit(world, contract, LARGE_BYTES)
        large = odd_records.oversize(contract, b"k")
        producer = client.make_producer(world.settings, {"message.max.bytes": LARGE_BYTES})
        with Publisher(producer, Ledger(world.load.ledger)) as publisher:
            publisher.send([large])
            publisher.finish()
        wanted = {_digest(large)}
        found = until(
            "the oversize record in quarantine",
            lambda: _quarantined(world, wanted),
            self.recovers_within_s,
            poll_s=1.0,
        )
        witness.see("present", f"quarantine:{contract.dataset}", None, found[_digest(large)])

    def clean(self, world: World) -> None:
        """Give the topic its own limit back."""
        _set_limit(world, of_tier(world, "hdfs"), None)


def _target(world: World) -> tuple[Contract, Encoder]:
    contract = of_tier(world, "hdfs")
    return contract, connect(world.settings, [contract])[contract.dataset]


def _records(kind: str, number: int) -> list[Record]:
    """Good records of the load's contracts."""
    now = datetime.now(UTC)
    return [
        {
            "event_id": f"{kind}-{now:%Y%m%dT%H%M%S}-{index:05d}",
            "kind": "changed",
            "amount_cents": index,
            "note": kind,
            "happened_at": now,
        }
        for index in range(number)
    ]


def _digest(record: Outgoing) -> str:
    return sha256(record.value).hexdigest()


def _quarantined(world: World, digests: set[str]) -> dict[str, str]:
    """Digest of a value to the class it is quarantined by."""
    scan = world.lake.load(QUARANTINE_TABLE).scan(
        row_filter=In(term="value_sha256", literals=digests),
        selected_fields=("value_sha256", "reason"),
    )
    rows = scan.to_arrow().to_pylist()
    return {row["value_sha256"]: row["reason"] for row in rows}


def _all(found: dict[str, str], expected: dict[str, str]) -> dict[str, str] | None:
    return found if len(found) == len(expected) else None


def _rows(world: World, contract: Contract, sent: Sequence[Outgoing]) -> list[Row] | None:
    """The rows that raw has of these records, once it has as many as were sent."""
    digests = {_digest(each) for each in sent}
    scan = world.lake.load(contract.raw_table).scan(
        row_filter=In(term="value_sha256", literals=digests),
        selected_fields=COLUMNS,
    )
    rows: list[Row] = scan.to_arrow().to_pylist()
    return rows if len(rows) == len(sent) else None


def _all_doubled(rows: list[Row]) -> str | None:
    """That each record has as many rows as it was sent."""
    times = set(Counter(row["event_id"] for row in rows).values())
    return f"{len(rows)} rows, {TIMES} of each record" if times == {TIMES} else None


def _unordered(rows: list[Row]) -> str | None:
    """That a partition has records after those that were made later."""
    placed = sorted(rows, key=lambda row: (row["kafka_partition"], row["kafka_offset"]))
    back = sum(
        one["kafka_partition"] == two["kafka_partition"] and one["event_id"] > two["event_id"]
        for one, two in pairwise(placed)
    )
    return f"{len(rows)} rows, {back} of them after a later one" if back else None


def _late(rows: list[Row]) -> str | None:
    """That every record was made long before the broker had it."""
    least = min(row["kafka_at"] - row["happened_at"] for row in rows)
    late = least > odd_records.LATE_BY - timedelta(days=1)
    return f"{len(rows)} rows, at least {least.days} days late" if late else None


#: What shows each kind of record in its rows.
SEEN: dict[str, Callable[[list[Row]], str | None]] = {
    "doubled": _all_doubled,
    "unordered": _unordered,
    "late": _late,
}


def _refusal(world: World, digest: str) -> str | None:
    """The line of the ledger that says that the record was refused."""
    for file in world.load.ledger.glob("*.jsonl"):
        lines = file.read_text().splitlines()
        intent = next((line for line in lines if digest in line), None)
        if intent:
            number = intent.split(",", 1)[0].split(":")[1]
            start = f'{{"o":{number},"s":"refused"'
            return next((line for line in lines if line.startswith(start)), None)
    return None


def _set_limit(world: World, contract: Contract, limit: int | None) -> None:
    """Set the topic's largest record, or leave it to the broker again."""
    change = ("DELETE", None) if limit is None else ("SET", str(limit))
    configs = {"max.message.bytes": change}
    with closing(KafkaAdminClient(bootstrap_servers=world.settings.kafka.address)) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, contract.topic, configs)])


FAULTS = (PoisonRecords, OddRecords, OversizeRecords)
