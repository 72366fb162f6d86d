"""Files made from the contracts are committed, and this fails when they are stale."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from millrace.contracts import Contract, load_contract, load_contracts
from millrace.contracts.generated import dbt_sources, generated_files

ROOT = Path(__file__).resolve().parents[3]
SHOP = load_contracts(ROOT / "contracts")
FILES = generated_files(ROOT, SHOP.values())


def processed(contracts: Iterable[Contract], staged: set[str]) -> dict[str, Any]:
    sources = YAML(typ="safe").load(dbt_sources(contracts, staged))["sources"]
    return {table["name"]: table for table in sources[0]["tables"]}


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_generated_file_is_what_the_contracts_say(path: Path) -> None:
    assert (ROOT / path).read_text() == FILES[path], "stale: make generate"


def test_the_lines_of_an_order_are_a_processed_table_with_both_keys() -> None:
    tables = processed(SHOP.values(), {"order_lines"})
    assert set(tables) >= {"customers", "products", "locations", "orders", "order_lines"}
    test = tables["order_lines"]["data_tests"][0]["primary_key"]
    assert test == {"arguments": {"columns": ["order_id", "line_number"]}}
    assert "lines" not in [column["name"] for column in tables["orders"]["columns"]]


def test_every_table_of_the_shop_has_its_key_tested() -> None:
    content = FILES[Path("dbt_project/models/staging/_sources.yml")]
    assert content.count("- primary_key:") == len(processed(SHOP.values(), set()))


def test_a_dataset_that_no_model_reads_yet_can_not_fail_a_build(folder: Path) -> None:
    visits = load_contract(folder / "visits.yaml")
    assert "data_tests" not in processed([visits], set())["visits"]
    assert "data_tests" in processed([visits], {"visits"})["visits"]
