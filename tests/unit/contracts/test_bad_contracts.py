"""A bad contract is refused with its file, line, field, cause and remedy, without a traceback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from millrace.contracts import Contract, ContractError, load_contracts
from millrace.contracts.store import survey

GOLDEN = Path(__file__).parents[2] / "golden" / "errors"
RunCli = Callable[..., tuple[int, str, str]]
ReadContract = Callable[[str], Contract]

#: golden file -> what is spoiled in the good contract: text, and what stands there instead
SPOILT = {
    "malformed_contract": ("    properties:\n", "   properties: [\n"),
    "missing_field": ("    properties:\n", "    properties:\n      - logicalType: string\n"),
    "wrong_typed_field": ("        required: true\n", '        required: "yes"\n'),
}


def spoil(folder: Path, old: str, new: str) -> None:
    path = folder / "visits.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize("golden", SPOILT)
def test_a_spoilt_contract_is_refused_in_these_words(
    golden: str, folder: Path, cli: RunCli
) -> None:
    spoil(folder, *SPOILT[golden])
    code, out, error = cli("validate")
    assert (code, out) == (1, "")
    assert error == (GOLDEN / f"{golden}.txt").read_text()


def test_an_unknown_dataset_is_refused_in_these_words(cli: RunCli) -> None:
    code, out, error = cli("datasets", "visit")
    assert (code, out) == (1, "")
    assert error == (GOLDEN / "unknown_dataset.txt").read_text()


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "said"),
    [
        ("kind: DataContract\n", "", 1, "", "the key kind is missing"),
        ("id: visits", "id: page_visits", 3, "", "is not the file's name visits"),
        ("id: visits", "id: Visits", 3, "", "is no name for a dataset"),
        ("version: 1.0.0", "version: 1.0", 4, "", "version: input should be a valid string"),
        ("team:", "teem:", 7, "", "teem: extra inputs are not permitted"),
        ("apiVersion: v3.2.0", "apiVersion: v2.2.2", 1, "", "apiVersion can not be 'v2.2.2'"),
        ("  - name: visits", "  - name: visit", 10, "", "is not the dataset"),
        (
            "name: visits\n    prop",
            "name: visits\n    physicalName: web_visits\n    prop",
            11,
            "",
            "'web_visits' is no name for a topic",
        ),
        ("name: page", "name: Page", 15, "Page", "is no name for a field"),
        ("name: page", "name: kafka_offset", 15, "kafka_offset", "a column that landing adds"),
        ("name: page", "name: visit_id", 15, "visit_id", "is there twice"),
        ("Type: integer", "Type: money", 19, "seconds", "there is no logicalType 'money'"),
        ("Type: integer", "Type: intger", 19, "seconds", "there is no logicalType 'intger'"),
        ("minimum: 0", "minimum: low", 21, "seconds", "minimum can not be 'low'"),
        (
            "minimum: 0",
            "minLength: 0",
            21,
            "seconds",
            "the logicalType integer has no option 'minLength'",
        ),
        ("required: true", "reqired: true", 17, "page", "does not apply the key 'reqired'"),
        ("required: true", "enum: [{value: 1}]", 17, "page", "is not a string"),
        ("required: true", "items: {logicalType: date}", 17, "page", "only an array has items"),
        ("Type: timestamp", "Type: array", 22, "visited_at", "an array needs items"),
        ("Type: timestamp", "Type: object", 22, "visited_at", "there are no fields"),
        (
            "Type: timestamp",
            "Type: number\n        physicalType: decimal(40,2)",
            24,
            "visited_at",
            "is no decimal",
        ),
    ],
)
def test_a_fault_is_found_where_it_stands(
    folder: Path, *, old: str, new: str, line: int, field: str, said: str
) -> None:
    spoil(folder, old, new)
    with pytest.raises(ContractError) as refused:
        load_contracts(folder)
    problem = refused.value.problems[0]
    assert said in problem.cause
    assert (problem.line, problem.field) == (line, field)
    assert problem.remedy


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("teir", "s3", "there is no custom property 'teir'"),
        ("tier", "tape", "tier can not be 'tape'"),
        ("eventTime", "page", "'page' is not a timestamp field"),
        ("topicPartitions", "0", "topicPartitions can not be 0"),
        ("topicPartitions", '"3"', "topicPartitions can not be '3'"),
        ("topicPartitions", "true", "topicPartitions can not be True"),
        ("keepValue", "1", "keepValue can not be 1"),
    ],
)
def test_a_bad_custom_property_is_refused_with_what_to_write(
    name: str, value: str, said: str, folder: Path
) -> None:
    path = folder / "visits.yaml"
    added = f"customProperties:\n  - property: {name}\n    value: {value}\n"
    path.write_text(path.read_text() + added)
    with pytest.raises(ContractError) as refused:
        load_contracts(folder)
    problem = refused.value.problems[0]
    assert said in problem.cause
    assert problem.line >= 24
    assert problem.remedy


def test_every_problem_of_a_file_is_said_at_once(folder: Path) -> None:
    spoil(folder, "name: page", "name: Page")
    spoil(folder, "minimum: 0", "least: 0")
    with pytest.raises(ContractError) as refused:
        load_contracts(folder)
    assert [problem.line for problem in refused.value.problems] == [15, 21]


def test_the_problems_of_every_file_are_said_at_once(folder: Path, cli: RunCli) -> None:
    spoil(folder, "name: page", "name: Page")
    (folder / "other.yaml").write_text("- no contract\n")
    code, _, error = cli("validate")
    assert code == 1
    assert "contracts/visits.yaml:15" in error
    assert "contracts/other.yaml:1" in error


def test_two_datasets_can_not_share_a_topic(folder: Path) -> None:
    text = (folder / "visits.yaml").read_text().replace(": visits", ": clicks")
    named = text.replace("- name: clicks\n", "- name: clicks\n    physicalName: visits\n")
    (folder / "clicks.yaml").write_text(named)
    _, errors = survey(folder)
    assert "the topic visits belongs to clicks already" in str(errors[0])


def test_a_relationship_must_lead_to_a_field_there_is(folder: Path) -> None:
    spoil(folder, "required: true", "relationships: [{to: pages.page_id}]")
    with pytest.raises(ContractError, match=r"pages\.page_id, which no contract has"):
        load_contracts(folder)


def test_a_file_that_is_not_text_is_refused(folder: Path) -> None:
    (folder / "visits.yaml").write_bytes(b"PAR1\x80\x81")
    with pytest.raises(ContractError, match=r"visits\.yaml:1: this is not YAML"):
        load_contracts(folder)


def test_an_empty_folder_is_not_taken_for_no_datasets(tmp_path: Path) -> None:
    _, errors = survey(tmp_path)
    assert "there is no contract in it" in str(errors[0])


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (
            "[{property: aliases, value: [visit_id]}]",
            "the alias visit_id of page is a name of visit_id",
        ),
        ("[{property: aliases, value: [page]}]", "page is the field's present name"),
        ("[{property: aliases, value: old_page}]", "aliases can not be 'old_page'"),
        ("[{property: aliases, value: [Old]}]", "'Old' was no name of a field"),
        ("[{property: aliases, value: [value]}]", "value is a column that landing adds"),
        ("[{property: alias, value: [old]}]", "there is no custom property 'alias' for a field"),
        ("[{property: mask, value: dark}]", "mask can not be 'dark'"),
    ],
)
def test_a_bad_custom_property_of_a_field_is_refused(folder: Path, own: str, said: str) -> None:
    spoil(folder, "required: true", f"customProperties: {own}")
    with pytest.raises(ContractError) as refused:
        load_contracts(folder)
    (problem,) = refused.value.problems
    assert said in problem.cause
    assert problem.field == "page"
    assert problem.remedy


def test_former_names_are_known_by_the_path_of_their_field(folder: Path) -> None:
    inner = (
        "[{name: width, logicalType: integer, customProperties: [{property: aliases, value: [w]}]}]"
    )
    spoil(
        folder,
        "        logicalType: timestamp",
        f"        logicalType: object\n        properties: {inner}",
    )
    spoil(folder, "required: true", "customProperties: [{property: aliases, value: [a, b]}]")
    contract = load_contracts(folder)["visits"]
    assert contract.aliases() == {"page": ("a", "b"), "visited_at.width": ("w",)}
