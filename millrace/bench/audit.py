"""Is in a table what was produced? Asked of Trino, which is none of the contestants.

Sums of every block of records are compared; where they differ, the records of the block are looked
at one by one, and what is lost, doubled or changed is named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import trino

from millrace.bench.records import BLOCK, BlockSum, block_events, block_sums
from millrace.errors import MillraceError
from millrace.settings import Settings

#: Runs a query and gives its rows.
Ask = Callable[[str], Sequence[Sequence[Any]]]

#: As `Event.line`.
LINE = """concat_ws('|', cast(sequence as varchar), event_id, device, kind,
    cast(amount_cents as varchar),
    cast(date_diff('millisecond', timestamp '1970-01-01 00:00:00 UTC', happened_at) as varchar),
    note)"""
CHECKSUM = f"crc32(to_utf8({LINE}))"
#: Looked at one by one; more are counted alone.
MOST_BLOCKS = 50
SHOWN = 5
FAULTS = ("lost", "doubled", "changed", "foreign")


@dataclass(frozen=True)
class Audit:
    """What a table holds, beside what it should.

    Attributes:
        rows: in the table.
        lost: records that are not in it.
        doubled: rows beyond the first of a record.
        changed: records that are in it with another value.
        foreign: rows that were never produced.
        examples: kind of fault to the first numbers.
        blocks: how many blocks differ; of more than `MOST_BLOCKS` the counts are lower bounds.
    """

    rows: int
    lost: int = 0
    doubled: int = 0
    changed: int = 0
    foreign: int = 0
    examples: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    blocks: int = 0

    @property
    def is_right(self) -> bool:
        """Whether the table holds what was produced, and nothing else."""
        return not (self.blocks or self.foreign)

    def __str__(self) -> str:
        if self.is_right:
            return f"{self.rows:,} rows, each of them once"
        faults = []
        for name in FAULTS:
            if number := getattr(self, name):
                shown = ", ".join(str(each) for each in self.examples.get(name, ())[:SHOWN])
                faults.append(f"{number:,} {name}" + (f" ({shown}, ...)" if shown else ""))
        least = "at least " if self.blocks > MOST_BLOCKS else ""
        return f"{self.rows:,} rows: {least}{', '.join(faults) or 'sums differ'}"


def audit(ask: Ask, table: str, rows: int) -> Audit:
    """Compare a table with the first so many records.

    Args:
        ask: a reader that did not write it.
    """
    found = {
        None if block is None else int(block): BlockSum(int(count), int(total), int(checks))
        for block, count, total, checks in ask(
            f"select sequence / {BLOCK}, count(*), coalesce(sum(sequence), 0),"
            f" coalesce(sum({CHECKSUM}), 0) from {table} group by 1"
        )
    }
    wanted = block_sums(rows)
    total = sum(each.rows for each in found.values())
    foreign = sum(each.rows for block, each in found.items() if block not in wanted)
    differing = [block for block, sums in wanted.items() if found.get(block) != sums]
    faults: dict[str, list[int]] = {name: [] for name in FAULTS}
    for block in differing[:MOST_BLOCKS]:
        _inspect(ask, table, block, rows, faults)
    return Audit(
        rows=total,
        lost=len(faults["lost"]),
        doubled=len(faults["doubled"]),
        changed=len(faults["changed"]),
        foreign=foreign + len(faults["foreign"]),
        examples={name: tuple(numbers[:SHOWN]) for name, numbers in faults.items() if numbers},
        blocks=len(differing),
    )


def _inspect(ask: Ask, table: str, block: int, rows: int, faults: Mapping[str, list[int]]) -> None:
    """Name the records of one block that are not as they were produced."""
    low = block * BLOCK
    held: dict[int, list[int]] = {}
    for sequence, checksum in ask(
        f"select sequence, {CHECKSUM} from {table}"
        f" where sequence >= {low} and sequence < {low + BLOCK}"
    ):
        held.setdefault(int(sequence), []).append(int(checksum))
    for each in block_events(block, rows):
        copies = held.pop(each.sequence, [])
        if not copies:
            faults["lost"].append(each.sequence)
        faults["doubled"].extend([each.sequence] * (len(copies) - 1))
        if any(copy != each.checksum for copy in copies):
            faults["changed"].append(each.sequence)
    # Beyond the last one that was produced.
    for number, copies in held.items():
        faults["foreign"].extend([number] * len(copies))


def ask_trino(settings: Settings) -> Ask:
    """Queries on Trino's catalog `iceberg`."""

    def ask(query: str) -> Sequence[Sequence[Any]]:
        connection = trino.dbapi.connect(  # type: ignore[no-untyped-call]
            host=settings.trino.host,
            port=settings.trino.port,
            user="millrace",
            source="millrace-bench",
            catalog="iceberg",
        )
        try:
            cursor = connection.cursor()
            cursor.execute(query)
            rows: Sequence[Sequence[Any]] = cursor.fetchall()
        except Exception as error:  # trino and requests raise unrelated classes
            address = f"Trino at {settings.trino.address}"
            raise MillraceError(address, str(error), "make logs SERVICE=trino") from error
        return rows

    return ask
