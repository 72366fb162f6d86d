"""The rules between fields: the standard's `quality` of the schema object.

Of the standard's kinds of checks one is applied: `type: custom` with `engine: millrace`, whose
`implementation` is a condition of `millrace.contracts.rules`.
"""

from __future__ import annotations

from collections.abc import Sequence

from open_data_contract_standard.model import DataQuality

from millrace.contracts.document import Document, Path_
from millrace.contracts.model import Field, Rule
from millrace.contracts.rules import BadRuleError, compile_rule
from millrace.contracts.suggest import refuse_other_keys

ENGINE = "millrace"
APPLIED = {"name", "type", "engine", "implementation"}
DESCRIBING = {"id", "description", "businessImpact", "dimension", "severity", "tags"}
EXAMPLE = "shipped_at >= placed_at"


def read_rules(
    document: Document,
    checks: Sequence[DataQuality] | None,
    fields: Sequence[Field],
    owner: Path_,
) -> tuple[Rule, ...]:
    """The rules of a schema object, which stands at `owner`; problems go to the document."""
    rules: list[Rule] = []
    for index, check in enumerate(checks or ()):
        at = (*owner, "quality", index)
        refuse_other_keys(document, at, APPLIED | DESCRIBING)
        if (check.type, check.engine) != ("custom", ENGINE):
            cause = "only rules of Millrace are applied"
            document.refuse(at, cause, f"write `type: custom` and `engine: {ENGINE}`")
        elif not isinstance(check.implementation, str):
            document.refuse(at, "a rule needs its condition", f"add `implementation: {EXAMPLE}`")
        elif not check.name or any(check.name == rule.name for rule in rules):
            cause = "a rule needs a name of its own, by which its bad records are found"
            document.refuse(at, cause, "add a line `name: ...`")
        else:
            rule = Rule(check.name, " ".join(check.implementation.split()))
            try:
                compile_rule(rule, fields)
            except BadRuleError as error:
                cause = f"the rule {rule.expression!r} is none: {error}"
                remedy = f"write a condition between fields, as in `{EXAMPLE}`"
                document.refuse((*at, "implementation"), cause, remedy)
            rules.append(rule)
    return tuple(rules)
