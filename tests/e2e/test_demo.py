"""The demo, twice: the second run sends every record again; raw doubles, the marts are equal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from millrace.demo.counts import MARTS, PROCESSED
from millrace.settings import Settings

#: Rows and checksums of the marts for the sample's seed. Its dates never come from the clock, and
#: no mart keeps a time of its own, so they are the same on every machine and in both runtimes.
GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "marts-42.json"
DATASETS = ("customers", "locations", "orders", "products")
Query = Callable[[str], list[list[Any]]]


def raw_counts(query: Query) -> dict[str, int]:
    selects = [f"select '{name}', count(*) from raw.{name}" for name in DATASETS]
    return dict(query(" union all ".join(selects)))


def content(query: Query, tables: list[str]) -> dict[str, dict[str, Any]]:
    """Row count and a checksum of every column, whatever the order of the rows.

    Left out: where and when a record came in, which is another for each run.
    """
    found = {}
    for table in tables:
        columns = [
            row[0]
            for row in query(f"show columns from {table}")
            if not row[0].startswith(("source_", "processed_at"))
        ]
        sums = ", ".join(f'to_hex(checksum("{column}"))' for column in columns)
        values = query(f"select count(*), {sums} from {table}")[0]
        found[table] = dict(zip(["rows", *columns], values, strict=True))
    return found


@pytest.fixture(scope="module")
def demo_twice(cluster: Settings, millrace: Any, query: Query) -> list[dict[str, Any]]:
    """What the demo printed and left behind, after each of two runs."""
    tables = [f"marts.{name}" for name in MARTS]
    seen = []
    for _ in range(2):
        printed = millrace("demo", timeout=1500).stdout
        seen.append({"printed": printed, "raw": raw_counts(query), "marts": content(query, tables)})
    return seen


def test_the_demo_prints_what_it_proved(demo_twice: list[dict[str, Any]]) -> None:
    for run in demo_twice:
        assert run["printed"].count("holds") == len(DATASETS)
        assert "BROKEN" not in run["printed"]
        for word in ("Rows in marts", "Time per stage", "What to try next"):
            assert word in run["printed"]


def test_every_record_sent_again_is_in_raw_again(
    cluster: Settings, demo_twice: list[dict[str, Any]]
) -> None:
    first, second = (run["raw"] for run in demo_twice)
    manifest = json.loads((cluster.sample / "manifest.json").read_text())["datasets"]
    sent_again = {dataset: manifest[dataset]["records"] for dataset in DATASETS}
    assert min(sent_again.values()) > 0
    assert second == {dataset: rows + sent_again[dataset] for dataset, rows in first.items()}
    # Nothing but the sample was sent to this topic before: it has doubled.
    assert second["orders"] == 2 * first["orders"]


def test_the_marts_are_equal_after_both_runs(demo_twice: list[dict[str, Any]]) -> None:
    first, second = (run["marts"] for run in demo_twice)
    assert all(mart["rows"] > 0 for mart in first.values())
    assert second == first


def test_the_marts_are_those_of_the_seed_in_every_runtime(
    cluster: Settings, demo_twice: list[dict[str, Any]]
) -> None:
    found = demo_twice[0]["marts"]
    seen = cluster.home / GOLDEN.name
    seen.write_text(json.dumps(found, indent=1) + "\n")
    assert found == json.loads(GOLDEN.read_text()), f"if this is meant: cp {seen} {GOLDEN}"


def test_processed_holds_each_business_key_once(
    demo_twice: list[dict[str, Any]], query: Query
) -> None:
    keys = {
        "customers": "customer_id",
        "products": "product_id",
        "locations": "location_id",
        "orders": "order_id",
        "order_lines": "(order_id, line_number)",
    }
    for table in PROCESSED:
        rows, distinct = query(
            f"select count(*), count(distinct {keys[table]}) from processed.{table}"
        )[0]
        assert rows == distinct > 0, table


def test_each_mart_is_also_a_view_in_default(
    demo_twice: list[dict[str, Any]], query: Query
) -> None:
    for mart in MARTS:
        assert query(f'select count(*) from "default".{mart}') == query(
            f"select count(*) from marts.{mart}"
        )
