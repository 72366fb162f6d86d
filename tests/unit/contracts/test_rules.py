"""Rules between fields: what is a rule, who keeps it, and how a contract says it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from millrace.contracts import ContractError, load_contract
from millrace.contracts.model import Contract, Field, Rule
from millrace.contracts.rules import BadRuleError, compile_rule
from millrace.landing.reasons import Rejected
from millrace.landing.validator import compile_contract

FIELDS = (
    Field("page", "string"),
    Field("seconds", "long"),
    Field("share", "double"),
    Field("price", "decimal(9,2)"),
    Field("came_at", "timestamp"),
    Field("left_at", "timestamp"),
    Field("is_bot", "boolean"),
    Field("tags", "array", items=Field("item", "string")),
    Field("place", "struct", fields=(Field("floor", "int"),)),
)


def keeps(expression: str, **row: Any) -> bool:
    return compile_rule(Rule("r", expression), FIELDS)(row)


@pytest.mark.parametrize(
    ("expression", "row", "kept"),
    [
        ("came_at <= left_at", {"came_at": 1, "left_at": 2}, True),
        ("came_at <= left_at", {"came_at": 3, "left_at": 2}, False),
        ("came_at <= left_at", {"came_at": 3, "left_at": None}, True),
        ("came_at <= left_at", {}, True),
        ("0 < seconds < 10", {"seconds": 10}, False),
        ("not is_bot or seconds == 0", {"is_bot": True, "seconds": 1}, False),
        ("not is_bot or seconds == 0", {"is_bot": False, "seconds": 1}, True),
        ("not is_bot or seconds == 0", {"is_bot": True}, True),
        ("is_bot == false", {"is_bot": True}, False),
        ("price * seconds >= -3 + 1", {"price": Decimal("-2.5"), "seconds": 1}, False),
        ("share <= 0.5 and page != 'x'", {"share": 0.5, "page": "x"}, False),
        ("place.floor >= 0", {"place": {"floor": -1}}, False),
        ("place.floor >= 0", {"place": None}, True),
    ],
)
def test_a_rule_is_broken_only_where_it_is_false(
    expression: str, row: dict[str, Any], kept: bool
) -> None:
    assert keeps(expression, **row) is kept


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("seconds <", "can not be read"),
        ("seconds + 1", "not a condition"),
        ("second > 1", "no field second"),
        ("tags == 'a'", "an array"),
        ("page > 1", "compares text with a whole number"),
        ("came_at > 5", "compares a time with"),
        ("price * 0.5 > 1", "no exact partner"),
        ("seconds and is_bot", "take conditions"),
        ("page + 'a' == 'b'", "take numbers"),
        ("seconds in (1, 2)", "has no place"),
        ("len(page) > 1", "has no place"),
        ("__import__('os')", "has no place"),
    ],
)
def test_what_is_no_rule_is_refused(expression: str, said: str) -> None:
    with pytest.raises(BadRuleError, match=said):
        keeps(expression)


def test_a_record_that_breaks_a_rule_names_it() -> None:
    rule = Rule("leaves_after_coming", "came_at <= left_at")
    contract = Contract("visits", "visits", "1", "", "", FIELDS, rules=(rule,))
    judge = compile_contract(contract)
    assert judge({"came_at": 1, "left_at": 1})["left_at"] == 1
    with pytest.raises(Rejected) as refused:
        judge({"came_at": 2, "left_at": 1})
    assert (str(refused.value.reason), refused.value.field) == ("broken_rule", None)
    assert refused.value.detail == "leaves_after_coming: not came_at <= left_at"


RULE = """\
    quality:
      - name: short
        type: custom
        engine: millrace
        implementation: seconds < 1000
    properties:
"""


@pytest.fixture
def with_rule(folder: Path) -> Callable[..., Contract]:
    """The contract with a rule, in which one text is replaced by another."""

    def write(old: str = "", new: str = "") -> Contract:
        path = folder / "visits.yaml"
        path.write_text(path.read_text().replace("    properties:\n", RULE.replace(old, new), 1))
        return load_contract(path)

    return write


def test_a_contract_says_its_rules(with_rule: Callable[..., Contract]) -> None:
    assert with_rule().rules == (Rule("short", "seconds < 1000"),)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("seconds <", "minutes <", "there is no field minutes"),
        ("custom", "sql", "only rules of Millrace"),
        ("name: short\n        ", "", "needs a name of its own"),
        ("        implementation: seconds < 1000\n", "", "needs its condition"),
        ("engine: millrace\n", "engine: millrace\n        mustBe: 1\n", "does not apply the key"),
    ],
)
def test_a_bad_rule_is_refused_with_its_line(
    with_rule: Callable[..., Contract], old: str, new: str, said: str
) -> None:
    with pytest.raises(ContractError, match=said) as refused:
        with_rule(old, new)
    assert refused.value.problems[0].line > len(("schema", "name"))
