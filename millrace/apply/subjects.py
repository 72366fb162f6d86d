"""Registry schemas, through the Confluent API (version 7) that the registry serves.

The registry itself judges whether a schema may follow the last one, by the contract's rule; what
it refuses is refused here, with its words.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import requests

from millrace.apply.breaks import Comparison, Rule, said
from millrace.apply.shapes import shape_of
from millrace.apply.steps import Action, Step, lost_means_down, require
from millrace.contracts import Contract
from millrace.errors import MillraceError
from millrace.settings import Settings

SERVICE = "the schema registry"
API = "/apis/ccompat/v7"
TIMEOUT_S = 30
NOT_FOUND = 404
CONFLICT = (409, 422)
REFUSED = (400, 409, 422)
LOST = (requests.ConnectionError, requests.Timeout)


class Registry:
    """The few calls of the registry that applying needs."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.http = requests.Session()
        self.http.headers["Content-Type"] = "application/vnd.schemaregistry.v1+json"

    def latest(self, subject: str) -> dict[str, Any] | None:
        """The newest schema of a subject, parsed; None where there is none."""
        answer = self._ask("GET", f"/subjects/{subject}/versions/latest")
        if answer is None:
            return None
        schema: dict[str, Any] = json.loads(answer["schema"])
        return schema

    def holds(self, contract: Contract) -> bool:
        """Whether the contract's schema is a version of its subject, though not the newest.

        A schema that was registered once is not registered again: it stays the version it is. The
        registry takes schemas that differ in descriptions alone for one.
        """
        return self._ask("POST", f"/subjects/{contract.subject}", _body(contract)) is not None

    def rule(self, subject: str) -> str | None:
        """The compatibility rule of a subject; None where it has none of its own."""
        answer = self._ask("GET", f"/config/{subject}")
        return None if answer is None else str(answer["compatibilityLevel"])

    def set_rule(self, subject: str, rule: str) -> None:
        """Set a subject's compatibility rule."""
        self._ask("PUT", f"/config/{subject}", {"compatibility": rule})

    def objections(self, contract: Contract) -> list[str]:
        """Why the contract's schema may not follow the last one; empty where it may."""
        path = f"/compatibility/subjects/{contract.subject}/versions/latest?verbose=true"
        answer = self._ask("POST", path, _body(contract)) or {}
        if answer.get("is_compatible", True):
            return []
        return answer.get("messages") or self._reasons(contract)

    def _reasons(self, contract: Contract) -> list[str]:
        """The registry's own words: Apicurio gives them in its own API alone, on a dry run."""
        service = self.settings.registry
        path = f"/apis/registry/v3/groups/default/artifacts/{contract.subject}/versions"
        content = json.dumps(contract.registry_schema())
        body = {"content": {"content": content, "contentType": "application/json"}}
        with lost_means_down(SERVICE, service, *LOST):
            answer = self.http.post(
                f"{service.url}{path}?dryRun=true",
                json=body,
                timeout=TIMEOUT_S,
                headers={"Content-Type": "application/json"},
            )
        causes = answer.json().get("causes") or [] if answer.status_code in REFUSED else []
        said = [f"{cause['description']} at {cause['context']}" for cause in causes]
        return said or ["its last version and this one do not fit"]

    def register(self, contract: Contract) -> None:
        """Make the contract's schema the newest version of its subject.

        Raises:
            MillraceError: the registry refuses it.
        """
        self._ask("POST", f"/subjects/{contract.subject}/versions", _body(contract))

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The answer's JSON, None where the thing is not there."""
        service = self.settings.registry
        with lost_means_down(SERVICE, service, *LOST):
            answer = self.http.request(
                method, f"{service.url}{API}{path}", json=body, timeout=TIMEOUT_S
            )
        if answer.status_code == NOT_FOUND:
            return None
        if answer.status_code in CONFLICT:
            raise MillraceError(f"schema {path.split('/')[2]}", _message(answer), "make plan")
        if not answer.ok:
            cause = f"{method} {path} answered {answer.status_code}: {_message(answer)}"
            raise MillraceError(SERVICE, cause, "make logs SERVICE=registry")
        return answer.json()


def plan_subjects(settings: Settings, contracts: Iterable[Contract]) -> list[Step]:
    """One step a schema."""
    require(SERVICE, settings.registry)
    registry = Registry(settings)
    return [plan_subject(registry, contract) for contract in contracts]


def plan_subject(registry: Registry, contract: Contract) -> Step:
    """The step for the schema of one contract."""
    subject, rule = contract.subject, contract.compatibility
    thing = f"schema {subject}"
    latest = registry.latest(subject)
    if latest is None:
        detail = f"{contract.format.upper()}, {rule}"
        return Step(Action.CREATE, thing, detail, lambda: _bring(registry, contract, None))
    changes = []
    found = registry.rule(subject)
    if found != rule:
        changes.append(f"compatibility: {found} -> {rule}")
    if latest != contract.registry_schema() and not registry.holds(contract):
        if objections := registry.objections(contract):
            return Step(Action.REFUSE, thing, objection(contract, latest, found, objections))
        changes.append("a new version")
    if not changes:
        return Step(Action.KEEP, thing)
    return Step(Action.ALTER, thing, ", ".join(changes), lambda: _bring(registry, contract, latest))


def objection(
    contract: Contract, latest: dict[str, Any], rule: str | None, words: Sequence[str]
) -> str:
    """Why the contract's schema may not follow the registered one, field by field.

    Args:
        rule: the subject's compatibility rule.
        words: the registry's own, for what is no difference between fields.
    """
    file = f"contracts/{contract.dataset}.yaml"
    shapes = [shape_of(schema, contract.format) for schema in (latest, contract.registry_schema())]
    comparison = Comparison(Rule(rule or contract.compatibility), contract.format == "json", file)
    if breaks := comparison.breaks(*shapes):
        return f"the registry refuses it after the last version{said(breaks)}"
    return (
        f"readers by the rule {rule} would break: {'; '.join(words)}"
        f"; in {file} give back what was there, and let a new field be optional"
    )


def _bring(registry: Registry, contract: Contract, latest: dict[str, Any] | None) -> None:
    """Register before setting the rule: the registry wants a subject to set it on."""
    if latest != contract.registry_schema():
        registry.register(contract)
    if registry.rule(contract.subject) != contract.compatibility:
        registry.set_rule(contract.subject, contract.compatibility)


def _body(contract: Contract) -> dict[str, Any]:
    return {
        "schema": json.dumps(contract.registry_schema()),
        "schemaType": contract.format.upper(),
    }


def _message(answer: requests.Response) -> str:
    try:
        message = answer.json()["message"]
    except (ValueError, KeyError, TypeError):
        message = answer.text
    return " ".join(str(message).split())[:500]
