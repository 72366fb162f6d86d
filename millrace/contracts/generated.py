"""Files that are generated from the contracts: committed, and held fresh by a unit test."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from millrace.contracts.model import Contract, Field
from millrace.contracts.pages import datasets_page
from millrace.settings import Settings

STAGING = Path("dbt_project/models/staging")
SOURCES = STAGING / "_sources.yml"
DATASETS = Path("docs/reference/datasets.md")
NOTICE = "Generated from contracts/ by `make generate`: edit the contracts, not this file."
#: Descriptions stay on one line: a folded one ends in a blank.
WIDTH = 10_000


def write_all(settings: Settings, contracts: Iterable[Contract]) -> Iterator[tuple[Path, bool]]:
    """Write every generated file under the root; yields each with whether it changed."""
    for path, content in generated_files(settings.root, contracts).items():
        target = settings.root / path
        changed = not target.exists() or target.read_text() != content
        if changed:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content)
        yield path, changed


def generated_files(root: Path, contracts: Iterable[Contract]) -> dict[Path, str]:
    """Path below the root to content."""
    contracts = sorted(contracts, key=lambda contract: contract.dataset)
    staged = {path.stem.removeprefix("stg_") for path in (root / STAGING).glob("stg_*.sql")}
    return {SOURCES: dbt_sources(contracts, staged), DATASETS: datasets_page(contracts, NOTICE)}


def dbt_sources(contracts: Iterable[Contract], staged: Collection[str]) -> str:
    """The dbt sources: what staging reads (`processed`), and the log beneath it (`raw`).

    One test a table, of its key: Great Expectations holds the columns to the contract before dbt
    runs, and each dbt test costs half a second. A table that no staging model reads has none:
    a dataset that was just added must not fail a `dbt build` before it was processed once.

    Args:
        contracts: of all datasets.
        staged: the processed tables that have a staging model.
    """
    contracts = list(contracts)
    processed = [
        table if table["name"] in staged else {k: v for k, v in table.items() if k != "data_tests"}
        for contract in contracts
        for table in _processed_tables(contract)
    ]
    raw = [
        {"name": contract.dataset, "description": f"Every record of {contract.topic}, as it came."}
        for contract in contracts
    ]
    document = {
        "sources": [
            {
                "name": "processed",
                "description": "Typed, standardised, deduplicated by key; made by Spark on YARN.",
                "database": "iceberg",
                "schema": DoubleQuotedScalarString("{{ var('processed_schema') }}"),
                "tables": processed,
            },
            {
                "name": "raw",
                "description": "The log of each topic, doubles of a producer included.",
                "database": "iceberg",
                "schema": "raw",
                "tables": raw,
            },
        ]
    }
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = WIDTH
    stream = StringIO()
    yaml.dump(document, stream)
    return f"# {NOTICE}\n{stream.getvalue()}"


def child_table(dataset: str, field: Field) -> str:
    """The processed table of an array of structs: the lines of `orders` are `order_lines`."""
    return f"{dataset.removesuffix('s')}_{field.name}"


def _processed_tables(contract: Contract) -> Iterator[dict[str, Any]]:
    if not contract.key:
        return
    flat = [field for field in contract.fields if not _is_child(field)]
    yield _table(contract.dataset, contract.key, flat)
    for field in contract.fields:
        if _is_child(field):
            assert field.items is not None
            items = field.items.fields
            parents = [contract.field(name) for name in contract.key]
            key = (*contract.key, *(each.name for each in items if each.key))
            name = child_table(contract.dataset, field)
            yield _table(name, key, [*parents, *items])


def _is_child(field: Field) -> bool:
    return field.items is not None and any(inner.key for inner in field.items.fields)


def _table(name: str, key: tuple[str, ...], fields: Iterable[Field]) -> dict[str, Any]:
    return {
        "name": name,
        "description": f"One row for each {' and '.join(key)}: the latest state.",
        "data_tests": [{"primary_key": {"arguments": {"columns": list(key)}}}],
        "columns": [
            {"name": field.name, "description": field.description}
            if field.description
            else {"name": field.name}
            for field in fields
        ],
    }
