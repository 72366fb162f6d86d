"""Rules between the fields of a record: `shipped_at >= placed_at and total_cents > 0`.

The language is a small part of Python's expressions: fields, numbers, quoted text, `true` and
`false`, comparisons, `and`, `or`, `not`, `+`, `-`, `*`. As in SQL, what is compared with a field
that is null is unknown, and only a rule that is false is broken. Fields of arrays have no place
here: their items are bounded one by one.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from millrace.contracts.model import Field, Rule

Term = Callable[[Mapping[str, Any]], Any]
#: What a field's type is compared as; times and dates are numbers in a row, but not in a rule.
KINDS = {
    "string": "text",
    "int": "a whole number",
    "long": "a whole number",
    "double": "a number",
    "float": "a number",
    "boolean": "true or false",
    "timestamp": "a time",
    "date": "a date",
}
NUMBERS = ("a whole number", "a number", "a decimal")
TRUTH = "true or false"
CONSTANTS: dict[type, str] = {
    bool: TRUTH,
    int: "a whole number",
    float: "a number",
    str: "text",
}
WORDS = {"true": True, "false": False}
OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}


class BadRuleError(ValueError):
    """An expression that is no rule; the message says why."""


def compile_rule(rule: Rule, fields: Sequence[Field]) -> Callable[[Mapping[str, Any]], bool]:
    """A function from a judged row to whether it keeps the rule.

    Raises:
        BadRuleError: the expression is no rule on these fields.
    """
    try:
        tree = ast.parse(rule.expression.strip(), mode="eval")
    except (SyntaxError, ValueError) as error:
        raise BadRuleError(f"it can not be read: {error}") from None
    kind, term = _term(tree.body, {field.name: field for field in fields})
    if kind != TRUTH:
        raise BadRuleError(f"it is {kind}, not a condition")

    def is_kept(row: Mapping[str, Any]) -> bool:
        try:
            return term(row) is not False
        except ArithmeticError:  # a product beyond what a number can be
            return False

    return is_kept


def _term(  # noqa: PLR0911 - one case for each kind of node
    node: ast.expr, fields: Mapping[str, Field]
) -> tuple[str, Term]:
    """What a part of an expression is, and the function that computes it."""
    match node:
        case ast.Constant(value=value) if type(value) in CONSTANTS:
            return CONSTANTS[type(value)], lambda row: value
        case ast.Name(id=word) if word in WORDS and word not in fields:
            return TRUTH, lambda row: WORDS[word]
        case ast.Name() | ast.Attribute():
            return _field(node, fields)
        case ast.BoolOp(op=op, values=values):
            return _connected(isinstance(op, ast.And), [_term(each, fields) for each in values])
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            (inner,) = _conditions([_term(operand, fields)])
            return TRUTH, lambda row: None if (value := inner(row)) is None else not value
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            kind, number = _term(operand, fields)
            _numbers(kind)
            return kind, lambda row: None if (value := number(row)) is None else -value
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            return _computed(_term(left, fields), _term(right, fields), OPERATORS[type(op)])
        case ast.Compare(left=left, ops=ops, comparators=others):
            return _compared([_term(each, fields) for each in (left, *others)], ops)
    raise BadRuleError(f"{ast.unparse(node)} has no place in a rule")


def _field(node: ast.expr, fields: Mapping[str, Field]) -> tuple[str, Term]:
    path = ast.unparse(node).split(".")
    known, found = fields, None
    for name in path:
        found = known.get(name)
        if found is None:
            raise BadRuleError(f"there is no field {'.'.join(path)}")
        known = {inner.name: inner for inner in found.fields}
    assert found is not None
    kind = "a decimal" if found.decimal is not None else KINDS.get(found.type)
    if kind is None:
        raise BadRuleError(f"{'.'.join(path)} is an {found.type}: a rule compares plain fields")

    def value(row: Mapping[str, Any]) -> Any:
        given: Any = row
        for name in path:
            given = None if given is None else given.get(name)
        return given

    return kind, value


def _connected(is_and: bool, terms: list[tuple[str, Term]]) -> tuple[str, Term]:
    """`and` and `or` of three values: true, false and unknown."""
    parts = _conditions(terms)
    decisive = not is_and

    def value(row: Mapping[str, Any]) -> bool | None:
        values = [part(row) for part in parts]
        if decisive in values:
            return decisive
        return None if None in values else is_and

    return TRUTH, value


def _conditions(terms: list[tuple[str, Term]]) -> list[Term]:
    for kind, _ in terms:
        if kind != TRUTH:
            raise BadRuleError(f"`and`, `or` and `not` take conditions, not {kind}")
    return [term for _, term in terms]


def _computed(
    left: tuple[str, Term], right: tuple[str, Term], operate: Callable[[Any, Any], Any]
) -> tuple[str, Term]:
    kinds = (left[0], right[0])
    for kind in kinds:
        _numbers(kind)
    if set(kinds) == {"a number", "a decimal"}:
        raise BadRuleError("a number with a fraction is no exact partner of a decimal")
    kind = next((each for each in kinds if each != "a whole number"), kinds[0])
    return kind, _both(left[1], right[1], operate)


def _compared(terms: list[tuple[str, Term]], ops: Sequence[ast.cmpop]) -> tuple[str, Term]:
    """One comparison or a chain of them."""
    links: list[tuple[str, Term]] = []
    for (one, left), op, (other, right) in zip(terms, ops, terms[1:], strict=False):
        if type(op) not in OPERATORS:
            raise BadRuleError("it compares by <, <=, >, >=, == and != alone")
        if one != other and not (one in NUMBERS and other in NUMBERS):
            raise BadRuleError(f"it compares {one} with {other}")
        links.append((TRUTH, _both(left, right, OPERATORS[type(op)])))
    return _connected(True, links)


def _both(left: Term, right: Term, operate: Callable[[Any, Any], Any]) -> Term:
    def value(row: Mapping[str, Any]) -> Any:
        one, other = left(row), right(row)
        return None if one is None or other is None else operate(one, other)

    return value


def _numbers(kind: str) -> None:
    if kind not in NUMBERS:
        raise BadRuleError(f"`+`, `-` and `*` take numbers, not {kind}")
