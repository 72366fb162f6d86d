"""The house rules of the dbt project, read from its files: names, layers, grain, owner, keys."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
PROJECT = ROOT / "dbt_project"
MARTS = {
    *("fact_sales", "dim_customer", "dim_product", "dim_date", "dim_location"),
    *("orders", "customers", "products", "daily_revenue", "customer_cohorts"),
}
NAMES = {
    "staging": r"stg_[a-z_]+",
    "intermediate": r"int_[a-z]+__[a-z_]+",
    "marts": r"(fact|dim)_[a-z]+|[a-z][a-z_]*",
    "analytics": r"[a-z][a-z_]*",
}
#: layer -> the layers its models may read
MAY_READ = {
    "staging": set(),
    "intermediate": {"staging", "intermediate"},
    "marts": {"staging", "intermediate", "marts"},
    "analytics": {"marts"},
    "analyses": {"marts", "analytics"},
}
NOT_DETERMINISTIC = re.compile(
    r"\b(now|current_timestamp|current_date|localtimestamp|random|rand|uuid|shuffle)\b", re.I
)


def described() -> dict[str, dict[str, Any]]:
    """Every model as its YAML describes it."""
    files = sorted((PROJECT / "models").rglob("*.yml"))
    documents = [yaml.safe_load(file.read_text()) for file in files]
    return {model["name"]: model for doc in documents for model in doc.get("models", [])}


def written() -> dict[str, Path]:
    """Every model as a file of SQL."""
    return {file.stem: file for file in sorted((PROJECT / "models").rglob("*.sql"))}


def layer(file: Path) -> str:
    parts = file.relative_to(PROJECT).parts
    return parts[1] if parts[0] == "models" else parts[0]


def references(sql: str) -> set[str]:
    return set(re.findall(r"ref\('(\w+)'\)", sql))


def proven_keys(model: dict[str, Any]) -> list[set[str]]:
    """The column sets that a test proves to be a key of the model."""
    keys = [
        set(test["primary_key"]["arguments"]["columns"])
        for test in model.get("data_tests", [])
        if "primary_key" in test
    ]
    for column in model.get("columns", []):
        tests = column.get("data_tests", [])
        if "unique" in tests and "not_null" in tests:
            keys.append({column["name"]})
    return keys


MODELS = written()


def test_every_model_is_described_and_every_description_has_its_model() -> None:
    assert set(described()) == set(MODELS)


def test_the_marts_are_those_the_reports_rely_on() -> None:
    assert {name for name, file in MODELS.items() if layer(file) == "marts"} == MARTS


@pytest.mark.parametrize("name", MODELS)
def test_a_model_states_its_grain_and_its_owner(name: str) -> None:
    model = described()[name]
    teams = {
        yaml.safe_load(file.read_text())["team"]["name"]
        for file in (ROOT / "contracts").glob("*.yaml")
    }
    meta = model["config"]["meta"]
    assert re.search(r"Grain: one row an? .+\.$", model["description"].strip())
    assert meta["owner"] in teams | {"data-platform"}
    assert meta["grain"]


@pytest.mark.parametrize(
    "name", [name for name, file in MODELS.items() if layer(file) in {"marts", "analytics"}]
)
def test_the_grain_of_a_table_is_proven_by_a_test(name: str) -> None:
    model = described()[name]
    assert set(model["config"]["meta"]["grain"]) in proven_keys(model)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_named_by_its_layer(name: str) -> None:
    assert re.fullmatch(NAMES[layer(MODELS[name])], name)


@pytest.mark.parametrize(
    "file", [*MODELS.values(), *(PROJECT / "analyses").glob("*.sql")], ids=lambda file: file.stem
)
def test_a_model_reads_only_the_layers_below_it(file: Path) -> None:
    sql = file.read_text()
    read = {layer(MODELS[name]) for name in references(sql)}
    assert read <= MAY_READ[layer(file)]
    assert ("source(" in sql) == (layer(file) == "staging")


@pytest.mark.parametrize("name", MODELS)
def test_a_model_gives_the_same_rows_whenever_it_runs(name: str) -> None:
    assert not NOT_DETERMINISTIC.findall(MODELS[name].read_text())


def test_order_states_are_those_of_the_contract() -> None:
    contract = yaml.safe_load((ROOT / "contracts" / "orders.yaml").read_text())
    fields = {field["name"]: field for field in contract["schema"][0]["properties"]}
    states = [entry["value"] for entry in fields["status"]["enum"]]
    columns = {column["name"]: column for column in described()["orders"]["columns"]}
    (test,) = columns["order_status"]["data_tests"]
    project = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())
    assert test["accepted_values"]["arguments"]["values"] == states
    assert set(project["vars"]["non_revenue_statuses"]) < set(states)


def test_a_table_is_replaced_in_one_step_and_published_as_a_view() -> None:
    project = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())
    models = project["models"]["enterprise_data_pipeline"]
    assert {name: part["+schema"] for name, part in models.items()} == {
        name: name for name in NAMES
    }
    assert models["marts"]["+on_table_exists"] == "replace"
    assert models["analytics"]["+on_table_exists"] == "replace"
    assert "publish_view" in models["marts"]["+post-hook"]


def test_there_are_at_least_seven_analytical_queries() -> None:
    files = [*(PROJECT / "analyses").glob("*.sql")]
    files += [file for file in MODELS.values() if layer(file) == "analytics"]
    assert len(files) >= 7
    for file in files:
        assert file.read_text().startswith("-- "), f"{file.name} does not say what it answers"
