"""Records that are not what a stream hopes for, each kind with what has to become of it.

The kinds are made from good records of any contract; what is wrong with a value is made by
`millrace_producers.sample.bad`, which knows what a contract forbids. Nothing is sent from here.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from millrace.contracts import Contract
from millrace.landing.decoder import LARGEST_VALUE_BYTES
from millrace.landing.reasons import Reason
from millrace_producers.encoding import Encoder, Record, record_key
from millrace_producers.publisher import Outgoing
from millrace_producers.sample.bad import BadRecord, applicable, encode_bad, spoil

LATE_BY = timedelta(days=40)
#: A record that the broker takes where the topic allows it, and that landing does not.
OVERSIZE_BYTES = LARGEST_VALUE_BYTES + 1024
NONCE_BYTES = 16


@dataclass(frozen=True)
class Poison:
    """A bad record, and the class that quarantine has to give it."""

    outgoing: Outgoing
    reason: Reason


def poison(
    contract: Contract, encode: Encoder, good: Sequence[Record], of_each: int, rng: random.Random
) -> list[Poison]:
    """Bad records of every class that can happen to the contract, mixed."""
    found = []
    for reason in applicable(contract, good[0]):
        for number in range(of_each):
            record = spoil(contract, good[number % len(good)], reason, rng)
            record = record or spoil(contract, good[0], reason, rng)
            assert record is not None
            value = encode_bad(contract, encode, BadRecord(0, reason, record))
            key = record_key(contract, good[number % len(good)])
            found.append(Poison(Outgoing(contract.dataset, contract.topic, key, value), reason))
    noise = Reason.NOT_FRAMED if contract.format == "avro" else Reason.UNDECODABLE
    # Bytes that no serializer ever made: nothing, noise, a magic byte with half of an id.
    for value in (b"", b"\1" + rng.randbytes(64), b"\0", b"\0\0\0"):
        found.append(Poison(Outgoing(contract.dataset, contract.topic, b"noise", value), noise))
    rng.shuffle(found)
    return found


def outgoing(contract: Contract, encode: Encoder, record: Record) -> Outgoing:
    """A record as it is sent."""
    key = record_key(contract, record)
    return Outgoing(contract.dataset, contract.topic, key, encode(record))


def doubled(good: Sequence[Outgoing], times: int) -> Iterator[Outgoing]:
    """Every record several times, as a producer sends it that does not know what it has sent."""
    for _ in range(times):
        yield from good


def out_of_order(good: Sequence[Record], rng: random.Random) -> list[Record]:
    """The records, so that none follows on the one before it in time where that can be avoided."""
    shuffled = list(good)
    rng.shuffle(shuffled)
    return shuffled


def late(good: Sequence[Record], now: datetime) -> list[Record]:
    """The records with every time in them moved to forty days ago."""
    return [{name: _late(value, now) for name, value in each.items()} for each in good]


def oversize(contract: Contract, key: bytes, size: int = OVERSIZE_BYTES) -> Outgoing:
    """A record that is larger than landing takes; its bytes mean nothing, and no other has them."""
    value = secrets.token_bytes(NONCE_BYTES).ljust(size, b"\0")
    return Outgoing(contract.dataset, contract.topic, key, value)


def _late(value: object, now: datetime) -> object:
    return now - LATE_BY if isinstance(value, datetime) else value
