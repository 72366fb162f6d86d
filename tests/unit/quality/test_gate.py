"""The quality gate on a small shop that is in order, and with one fault at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from millrace.contracts import load_contracts
from millrace.processed import ProcessedTable, processed_tables
from millrace.quality.errors import SHOWN, QualityError, Violation

ROOT = Path(__file__).resolve().parents[3]
NOW = pd.Timestamp("2026-05-01", tz="UTC")
ORDER = {
    "order_id": "O0000001", "customer_id": "C000001", "location_id": "L001", "status": "paid",
    "placed_at": NOW, "updated_at": NOW, "currency": "EUR", "total_cents": 250,
}  # fmt: skip
LINE = {
    "order_id": "O0000001", "line_number": 1, "product_id": "P00001", "quantity": 2,
    "unit_price_cents": 100, "discount_cents": 0,
}  # fmt: skip
SHOP: dict[str, list[dict[str, Any]]] = {
    "customers": [{
        "customer_id": "C000001", "name": "Ada Lovelace", "email": "ada@example.com",
        "phone": None, "country": "GB", "city": None, "segment": "consumer",
        "created_at": NOW, "updated_at": NOW,
    }],
    "locations": [{
        "location_id": "L001", "name": "London store", "city": "London", "country": "GB",
        "kind": "store", "opened_date": None, "updated_at": NOW,
    }],
    "products": [{
        "product_id": "P00001", "name": "Kettle", "category": "kitchen", "price_cents": 100,
        "currency": "EUR", "is_active": True, "updated_at": NOW,
    }],
    "orders": [ORDER],
    # 2 x 100, and 1 x 60 less 10.
    "order_lines": [LINE, LINE | {
        "line_number": 2, "quantity": 1, "unit_price_cents": 60, "discount_cents": 10,
    }],
}  # fmt: skip

STATES = "status is one of placed, paid, shipped, delivered, cancelled, returned"

Check = Callable[[dict[str, list[dict[str, Any]]]], Path]


@pytest.fixture(scope="module")
def tables() -> tuple[ProcessedTable, ...]:
    return processed_tables(load_contracts(ROOT / "contracts").values())


@pytest.fixture
def check(tables: tuple[ProcessedTable, ...], tmp_path: Path) -> Check:
    """Check a shop's rows."""
    from millrace.quality.gate import check_frames  # noqa: PLC0415 (takes two seconds)

    def run(shop: dict[str, list[dict[str, Any]]]) -> Path:
        frames = {name: pd.DataFrame(rows) for name, rows in shop.items()}
        return check_frames(frames, tables, tmp_path / "quality", lambda line: None)

    return run


def broken(check: Check, table: str, *rows: dict[str, Any]) -> set[tuple[str, str, int, str]]:
    """What does not hold once these rows replace the table's."""
    with pytest.raises(QualityError) as caught:
        check({**SHOP, table: list(rows)})
    return {
        (each.table.removeprefix("processed."), each.expectation, each.rows, each.samples[0])
        for each in caught.value.violations
    }


def test_a_shop_in_order_passes_and_its_report_is_written(check: Check) -> None:
    index = check(SHOP)
    assert "processed.orders" in index.read_text()


def test_an_empty_shop_passes(check: Check) -> None:
    frames = {name: pd.DataFrame(rows).iloc[:0].to_dict("list") for name, rows in SHOP.items()}
    assert check(frames).exists()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "expectation"),
    [
        ({"status": "lost"}, STATES),
        ({"customer_id": "C000009"}, "customer_id is in processed.customers.customer_id"),
        ({"total_cents": 251}, "total_cents is the sum of the order's lines"),
        ({"currency": "eur"}, "currency matches [A-Z]{3}"),
        ({"placed_at": None}, "placed_at is given"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)  # fmt: skip
def test_a_fault_is_named_with_its_rows(
    check: Check, change: dict[str, Any], expectation: str
) -> None:
    found = broken(check, "orders", ORDER | change)
    assert found == {("orders", expectation, 1, "order_id=O0000001")}


def test_a_key_given_twice_is_found(check: Check) -> None:
    # Two rows of one line; their order's sum is wrong with them.
    rows = (*SHOP["order_lines"], LINE)
    assert broken(check, "order_lines", *rows) == {
        ("order_lines", "order_id and line_number is unique", 2,
         "order_id=O0000001, line_number=1"),
        ("orders", "total_cents is the sum of the order's lines", 1, "order_id=O0000001"),
    }  # fmt: skip


def test_a_line_of_no_order_is_found(check: Check) -> None:
    stray = LINE | {"order_id": "O0000009", "quantity": 0}
    sample = "order_id=O0000009, line_number=1"
    assert broken(check, "order_lines", *SHOP["order_lines"], stray) == {
        ("order_lines", "order_id is in processed.orders.order_id", 1, sample),
        ("order_lines", "quantity is 1 to 1000", 1, sample),
    }


def test_an_order_without_lines_is_worth_nothing(check: Check) -> None:
    empty = ORDER | {"order_id": "O0000002"}
    assert broken(check, "orders", ORDER, empty) == {
        ("orders", "total_cents is the sum of the order's lines", 1, "order_id=O0000002")
    }


def test_the_error_says_where_to_look_and_stays_short() -> None:
    violations = [Violation("processed.orders", f"rule {n}", 1, ("order_id=1",)) for n in range(12)]
    error = QualityError(violations, Path("quality/index.html"))
    assert error.thing == "processed.orders"
    assert error.cause.count("rule") == SHOWN
    assert "and 2 more" in error.cause
    assert "quality/index.html" in error.remedy
    assert str(violations[0]) == "processed.orders: rule 0: 1 rows do not, as order_id=1"
