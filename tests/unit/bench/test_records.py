"""A record of the benchmark is the same each time it is made, and is what its contract says."""

from __future__ import annotations

import json
import zlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from millrace.bench import records
from millrace.bench.records import BLOCK, Event, block_events, block_sums, event
from millrace.contracts import Contract, load_contracts
from millrace.landing.sift import compile_sifter

CONTRACTS = Path(records.__file__).parent / "contracts"


class NoRegistry:
    """A record without a frame has no schema to ask for."""

    def by_id(self, schema_id: int, subject: str) -> None:
        raise AssertionError(schema_id)


@pytest.fixture(scope="module")
def contracts() -> dict[str, Contract]:
    return load_contracts(CONTRACTS)


def test_records_have_370_bytes_in_the_mean() -> None:
    sizes = [len(event(number).value) for number in range(200_000, 205_000)]
    assert 360 < sum(sizes) / len(sizes) < 380
    assert len({event(number).event_id for number in range(5_000)}) == 5_000


@pytest.mark.parametrize("dataset", ["bench_events", "bench_pulses"])
def test_landing_takes_every_record_by_its_contract(
    contracts: dict[str, Contract], dataset: str
) -> None:
    sift = compile_sifter(contracts[dataset], NoRegistry())
    sifted = sift([event(number).value for number in range(2_000)])
    assert not sifted.bad
    assert sifted.rows[7]["sequence"] == 7


def test_both_contracts_describe_the_same_record(contracts: dict[str, Contract]) -> None:
    events, pulses = contracts["bench_events"], contracts["bench_pulses"]
    assert events.fields == pulses.fields
    assert events.topic != pulses.topic


def test_the_line_that_is_summed_up_is_the_columns_of_the_row() -> None:
    made = event(86_400_123)
    row = json.loads(made.value)
    at = datetime.fromisoformat(row["happened_at"])
    assert at.tzinfo == UTC
    at_ms = round(at.timestamp() * 1000)
    columns = [row["sequence"], row["event_id"], row["device"], row["kind"], row["amount_cents"]]
    line = "|".join(str(each) for each in (*columns, at_ms, row["note"]))
    assert made.line == line
    assert made.checksum == zlib.crc32(line.encode())
    # A day is over after so many milliseconds: the next record begins it again.
    assert row["happened_at"] == "2026-11-20T00:00:00.123Z"


def test_the_sums_are_those_of_the_blocks_records() -> None:
    rows = BLOCK + 3
    sums = block_sums(rows)
    assert [sums[block].rows for block in sums] == [BLOCK, 3]
    last: list[Event] = list(block_events(1, rows))
    assert [each.sequence for each in last] == [BLOCK, BLOCK + 1, BLOCK + 2]
    assert sums[1].sequences == 3 * BLOCK + 3
    assert sums[1].checksums == sum(each.checksum for each in last)
