"""Files made from the contracts are committed, and this fails when they are stale."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from millrace.contracts import load_contracts
from millrace.contracts.generated import dbt_sources, generated_files

ROOT = Path(__file__).resolve().parents[3]
FILES = generated_files(load_contracts(ROOT / "contracts").values())


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_generated_file_is_what_the_contracts_say(path: Path) -> None:
    assert (ROOT / path).read_text() == FILES[path], "stale: make generate"


def test_the_lines_of_an_order_are_a_processed_table_with_both_keys() -> None:
    sources = YAML(typ="safe").load(dbt_sources(load_contracts(ROOT / "contracts").values()))
    processed = {table["name"]: table for table in sources["sources"][0]["tables"]}
    assert set(processed) >= {"customers", "products", "locations", "orders", "order_lines"}
    test = processed["order_lines"]["data_tests"][0]["primary_key"]
    assert test == {"arguments": {"columns": ["order_id", "line_number"]}}
    assert "lines" not in [column["name"] for column in processed["orders"]["columns"]]
