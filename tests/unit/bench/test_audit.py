"""What is lost, doubled, changed or foreign in a table is counted and named."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import pytest

from millrace.bench.audit import MOST_BLOCKS, audit
from millrace.bench.records import BLOCK, Event, event

ROWS = 2 * BLOCK + 500
Table = list[Event]


@pytest.fixture(scope="module")
def produced() -> Table:
    return [event(number) for number in range(ROWS)]


def reader(table: Table) -> Callable[[str], Sequence[Sequence[int]]]:
    """Answers the two queries of an audit as Trino does."""

    def ask(query: str) -> Sequence[Sequence[int]]:
        if bounds := re.search(r"sequence >= (\d+) and sequence < (\d+)", query):
            low, high = int(bounds[1]), int(bounds[2])
            return [(e.sequence, e.checksum) for e in table if low <= e.sequence < high]
        sums: dict[int, list[int]] = {}
        for each in table:
            block = sums.setdefault(each.sequence // BLOCK, [0, 0, 0])
            for index, value in enumerate((1, each.sequence, each.checksum)):
                block[index] += value
        return [(block, *values) for block, values in sums.items()]

    return ask


def test_a_table_with_every_record_once_is_right(produced: Table) -> None:
    verdict = audit(reader(produced[::-1]), "t", ROWS)
    assert verdict.is_right
    assert str(verdict) == f"{ROWS:,} rows, each of them once"


def test_what_is_lost_is_named(produced: Table) -> None:
    verdict = audit(reader(produced[:7] + produced[9:-1]), "t", ROWS)
    assert not verdict.is_right
    assert (verdict.lost, verdict.doubled, verdict.changed) == (3, 0, 0)
    assert verdict.examples["lost"] == (7, 8, ROWS - 1)
    assert "3 lost (7, 8, 20499, ...)" in str(verdict)


def test_what_is_doubled_is_named(produced: Table) -> None:
    verdict = audit(reader([*produced, produced[5], produced[5], produced[BLOCK]]), "t", ROWS)
    assert (verdict.lost, verdict.doubled) == (0, 3)
    assert verdict.examples["doubled"] == (5, 5, BLOCK)


def test_a_record_in_place_of_another_is_both(produced: Table) -> None:
    # As many rows as there should be.
    verdict = audit(reader([*produced[:-1], produced[0]]), "t", ROWS)
    assert (verdict.rows, verdict.lost, verdict.doubled) == (ROWS, 1, 1)


def test_one_column_that_differs_is_a_change(produced: Table) -> None:
    changed = produced[12_345]._replace(note=produced[12_345].note + "x")
    verdict = audit(reader([*produced[:12_345], changed, *produced[12_346:]]), "t", ROWS)
    assert (verdict.lost, verdict.doubled, verdict.changed) == (0, 0, 1)
    assert verdict.examples["changed"] == (12_345,)


def test_two_values_that_changed_places_are_seen(produced: Table) -> None:
    one, two = produced[3], produced[4]
    swapped = [one._replace(note=two.note), two._replace(note=one.note)]
    verdict = audit(reader([*produced[:3], *swapped, *produced[5:]]), "t", ROWS)
    assert verdict.changed == 2


@pytest.mark.parametrize("number", [ROWS, 9 * BLOCK])
def test_what_was_never_produced_is_foreign(produced: Table, number: int) -> None:
    verdict = audit(reader([*produced, event(number)]), "t", ROWS)
    assert not verdict.is_right
    assert (verdict.foreign, verdict.lost, verdict.doubled) == (1, 0, 0)


def test_an_empty_table_has_lost_all(produced: Table) -> None:
    verdict = audit(reader([]), "t", ROWS)
    assert verdict.lost == ROWS
    assert verdict.blocks < MOST_BLOCKS
