"""The records of the benchmark: each is made from its number alone, so any can be made again.

What was produced is known without keeping it: a reader's sums are compared block by block with
those of records that are made anew.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

#: Records are summed up in blocks, so that what differs is found without reading all again.
BLOCK = 10_000
KINDS = ("opened", "changed", "closed")
#: All records happened on one day, a millisecond apart.
DAY = "2026-11-20"
DAY_MS = 24 * 60 * 60 * 1000
#: Milliseconds since the epoch when that day began.
DAY_BEGAN_MS = 1_795_132_800_000
DEVICES = 5_000
AMOUNTS = 1_000_000
#: With what stands around it, a record has 370 bytes in the mean.
SHORTEST_NOTE, NOTE_LENGTHS = 150, 81
TEXT_LENGTH = 1 << 18
#: An odd number of 128 bits: multiples of it look like chance and never repeat.
SPREAD = 0x9E3779B97F4A7C15F39CC0605CEDC835
MASK = (1 << 128) - 1


class Event(NamedTuple):
    """One record."""

    sequence: int
    event_id: str
    device: str
    kind: str
    amount_cents: int
    at_ms: int
    note: str

    @property
    def value(self) -> bytes:
        """The record as it is sent: JSON."""
        seconds, ms = divmod(self.at_ms, 1000)
        hour, minute, second = seconds // 3600, seconds // 60 % 60, seconds % 60
        return (
            f'{{"sequence":{self.sequence},"event_id":"{self.event_id}","device":"{self.device}",'
            f'"kind":"{self.kind}","amount_cents":{self.amount_cents},'
            f'"happened_at":"{DAY}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z",'
            f'"note":"{self.note}"}}'
        ).encode()

    @property
    def line(self) -> str:
        """What is summed up of a row: every column, as the reader's SQL puts them together."""
        return (
            f"{self.sequence}|{self.event_id}|{self.device}|{self.kind}|{self.amount_cents}|"
            f"{DAY_BEGAN_MS + self.at_ms}|{self.note}"
        )

    @property
    def checksum(self) -> int:
        """CRC-32 of the line."""
        return zlib.crc32(self.line.encode())


def event(sequence: int) -> Event:
    """The record with this number, which is below 2^63."""
    spread = (sequence + 1) * SPREAD & MASK
    drawn = spread >> 64
    start = drawn % (TEXT_LENGTH - SHORTEST_NOTE - NOTE_LENGTHS)
    return Event(
        sequence=sequence,
        event_id=f"{spread:032x}",
        device=f"device-{drawn % DEVICES:05}",
        kind=KINDS[drawn % len(KINDS)],
        amount_cents=drawn % AMOUNTS,
        at_ms=sequence % DAY_MS,
        note=_text()[start : start + SHORTEST_NOTE + drawn % NOTE_LENGTHS],
    )


@cache
def _text() -> str:
    """Text that compresses like words and not like one word."""
    rng = random.Random(7)  # noqa: S311 - the same text every time
    words = ["".join(rng.choices("abcdefghijklmnop", k=rng.randrange(2, 9))) for _ in range(4_000)]
    return " ".join(rng.choices(words, k=TEXT_LENGTH // 3))[:TEXT_LENGTH]


@dataclass(frozen=True)
class BlockSum:
    """Sums of the rows of one block.

    Attributes:
        rows: how many.
        sequences: sum of their numbers.
        checksums: sum of their CRC-32.
    """

    rows: int
    sequences: int
    checksums: int


def block_events(block: int, rows: int) -> Iterator[Event]:
    """The records of a block, of so many records in all."""
    return (event(each) for each in range(block * BLOCK, min((block + 1) * BLOCK, rows)))


def block_sums(rows: int) -> dict[int, BlockSum]:
    """The sums of every block of the first so many records."""
    sums = {}
    for block in range((rows + BLOCK - 1) // BLOCK):
        events = list(block_events(block, rows))
        sums[block] = BlockSum(
            len(events),
            sum(each.sequence for each in events),
            sum(each.checksum for each in events),
        )
    return sums
