"""An incompatible schema: which field, what changed, whom it breaks, how to mend it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from millrace.apply.breaks import Comparison, Rule
from millrace.apply.plan import Action, RefusedError
from millrace.apply.shapes import shape_of
from millrace.apply.steps import Step
from millrace.apply.subjects import objection
from millrace.contracts import Contract, Field

GOLDEN = Path(__file__).parents[2] / "golden" / "errors" / "schema_refused.txt"

OLD = Contract(
    dataset="visits",
    topic="visits",
    version="1",
    description="",
    owner="",
    key=("visit_id",),
    fields=(
        Field("visit_id", "string", required=True, key=True),
        Field("page", "string", required=True),
        Field("seconds", "long"),
        Field("device", "struct", fields=(Field("kind", "string"), Field("width", "int"))),
        Field("tags", "array", items=Field("item", "string", required=True)),
        Field("price", "decimal(9,2)"),
    ),
)


def changed(**fields: Field | None) -> Contract:
    """The contract with other fields of these names; None removes one, a new name adds one."""
    kept = [fields.get(each.name, each) for each in OLD.fields]
    names = {each.name for each in OLD.fields}
    added = [each for name, each in fields.items() if name not in names]
    new = tuple(each for each in (*kept, *added) if each is not None)
    return dataclasses.replace(OLD, fields=new)


def broken(new: Contract, rule: str = "BACKWARD", old: Contract = OLD) -> list[tuple[str, str]]:
    shapes = [shape_of(each.registry_schema(), each.format) for each in (old, new)]
    comparison = Comparison(Rule(rule), new.format == "json", "contracts/visits.yaml")
    return [(each.field, each.change) for each in comparison.breaks(*shapes)]


def test_a_refused_schema_is_explained_in_these_words() -> None:
    new = changed(
        page=None,
        url=Field("url", "string", required=True),
        seconds=Field("seconds", "int", required=True),
        device=Field("device", "struct", fields=(Field("kind", "boolean"), Field("width", "int"))),
    )
    detail = objection(new, OLD.registry_schema(), "BACKWARD", ["the registry's own words"])
    refused = RefusedError([Step(Action.REFUSE, "schema visits-value", detail)])
    assert f"error: {refused}\n" == GOLDEN.read_text()


@pytest.mark.parametrize(
    "new",
    [
        changed(device_id=Field("device_id", "string")),
        changed(page=Field("page", "string")),
        changed(page=Field("url", "string", required=True, aliases=("page",))),
        changed(
            device=Field(
                "gadget",
                "struct",
                aliases=("device",),
                fields=(Field("kind", "string"), Field("size", "long", aliases=("width",))),
            )
        ),
        changed(page=None),
    ],
    ids=["added", "made optional", "renamed", "renamed and widened within", "removed"],
)
def test_what_leaves_written_records_readable_breaks_nobody_under_backward(new: Contract) -> None:
    assert not broken(new)


@pytest.mark.parametrize(
    ("old", "new"), [("int", "long"), ("float", "double"), ("int", "double")], ids="->".join
)
def test_what_avro_promotes_is_readable_and_the_way_back_is_not(old: str, new: str) -> None:
    narrow = dataclasses.replace(OLD, fields=(Field("n", old),))
    wide = dataclasses.replace(OLD, fields=(Field("n", new),))
    assert not broken(wide, old=narrow)
    assert broken(narrow, old=wide) == [("n", f"{new} -> {old}")]
    assert broken(wide, "FORWARD", old=narrow) == [("n", f"{old} -> {new}")]


def test_under_forward_the_readers_of_the_last_schema_are_held_to() -> None:
    new = changed(
        page=Field("url", "string", required=True, aliases=("page",)),
        visit_id=Field("visit_id", "string"),
    )
    assert broken(new, "FORWARD") == [
        ("visit_id", "was required and is optional"),
        ("url", "was page"),
    ]
    assert broken(changed(page=None), "FULL") == [("page", "gone")]
    assert not broken(changed(page=None, tags=None), "NONE")


def test_items_of_an_array_are_compared_like_fields() -> None:
    tags = Field("tags", "array", items=Field("item", "long", required=True))
    assert broken(changed(tags=tags)) == [("tags", "string -> long")]


def test_a_json_record_may_hold_nothing_that_its_schema_has_not() -> None:
    old = dataclasses.replace(OLD, format="json")
    gone = dataclasses.replace(changed(page=None), format="json")
    assert broken(gone, old=old) == [("page", "gone")]
    new = changed(page=Field("url", "string", required=True, aliases=("page",)))
    assert not broken(dataclasses.replace(new, format="json"), old=old)
