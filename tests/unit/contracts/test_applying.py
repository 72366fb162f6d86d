"""What a plan says of each state a service may be in, and that it is carried out as it says."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hive_metastore.ttypes import MetaException
from thrift.transport.TTransport import TTransportException

from millrace.apply import plan as plan_module
from millrace.apply.plan import Action, Plan, RefusedError, Step, execute
from millrace.apply.subjects import plan_subject
from millrace.apply.topics import plan_topic, topic_settings
from millrace.contracts import Contract, Field
from millrace.errors import MillraceError
from millrace.settings import Settings

GOLDEN = Path(__file__).parents[2] / "golden" / "errors"
DAY_MS = 86_400_000


def with_field(contract: Contract, field: Field) -> Contract:
    return dataclasses.replace(contract, fields=(*contract.fields, field))


# Topics


def test_a_missing_topic_is_created(visits: Contract) -> None:
    step = plan_topic(Settings(), visits, None, None)
    assert (step.action, step.thing) == (Action.CREATE, "topic visits")
    assert "3 partitions" in step.detail


def test_a_topic_keeps_records_for_a_time_and_is_never_compacted(visits: Contract) -> None:
    wanted = topic_settings(visits)
    assert wanted["cleanup.policy"] == "delete"
    assert wanted["retention.ms"] == str(7 * DAY_MS)


def test_a_topic_as_the_contract_says_is_kept(visits: Contract) -> None:
    found = {**topic_settings(visits), "segment.ms": "1"}
    assert plan_topic(Settings(), visits, 3, found) == Step(Action.KEEP, "topic visits")


def test_a_topic_that_somebody_made_compacted_is_set_right(visits: Contract) -> None:
    found = {**topic_settings(visits), "cleanup.policy": "compact"}
    step = plan_topic(Settings(), visits, 3, found)
    assert (step.action, step.detail) == (Action.ALTER, "cleanup.policy: compact -> delete")


@pytest.mark.parametrize("partitions", [1, 6])
def test_another_number_of_partitions_is_refused(visits: Contract, partitions: int) -> None:
    step = plan_topic(Settings(), visits, partitions, topic_settings(visits))
    assert step.action == Action.REFUSE
    assert f"`topicPartitions: {partitions}`" in step.detail


# Registry


class FakeRegistry:
    """A registry with one version of a subject, that objects as it is told."""

    def __init__(
        self,
        latest: dict[str, Any] | None = None,
        rule: str | None = "BACKWARD",
        objections: tuple[str, ...] = (),
    ) -> None:
        self._latest, self._rule, self._objections = latest, rule, objections
        self.calls: list[str] = []
        self.older: list[dict[str, Any]] = []

    def latest(self, subject: str) -> dict[str, Any] | None:
        return self._latest

    def holds(self, contract: Contract) -> bool:
        return contract.registry_schema() in self.older

    def rule(self, subject: str) -> str | None:
        return self._rule

    def objections(self, contract: Contract) -> list[str]:
        return list(self._objections)

    def register(self, contract: Contract) -> None:
        self.calls.append("register")

    def set_rule(self, subject: str, rule: str) -> None:
        self.calls.append(f"rule {rule}")


def planned(registry: FakeRegistry, contract: Contract) -> Step:
    return plan_subject(registry, contract)  # type: ignore[arg-type]


def test_a_missing_schema_is_registered_before_its_rule_is_set(visits: Contract) -> None:
    registry = FakeRegistry(rule=None)
    step = planned(registry, visits)
    assert (step.action, step.thing) == (Action.CREATE, "schema visits-value")
    assert step.perform is not None
    step.perform()
    assert registry.calls == ["register", "rule BACKWARD"]


def test_a_registered_schema_is_kept(visits: Contract) -> None:
    registry = FakeRegistry(visits.avro_schema())
    assert planned(registry, visits) == Step(Action.KEEP, "schema visits-value")


def test_a_new_field_is_a_new_version(visits: Contract) -> None:
    registry = FakeRegistry(visits.avro_schema())
    step = planned(registry, with_field(visits, Field("device", "string")))
    assert (step.action, step.detail) == (Action.ALTER, "a new version")


def test_a_contract_that_is_taken_back_has_nothing_to_change(visits: Contract) -> None:
    """Its schema is an older version, which no registry makes the newest again."""
    registry = FakeRegistry(with_field(visits, Field("device", "string")).avro_schema())
    registry.older = [visits.avro_schema()]
    assert planned(registry, visits).action == Action.KEEP


def test_what_is_no_difference_of_a_field_is_refused_with_the_registrys_words(
    visits: Contract,
) -> None:
    registry = FakeRegistry({**visits.avro_schema(), "name": "others"}, objections=("name at /",))
    step = planned(registry, visits)
    assert step.action == Action.REFUSE
    assert "name at /" in step.detail
    assert "contracts/visits.yaml" in step.detail


# Plans


def test_a_refusal_stops_the_whole_plan_before_anything_is_changed() -> None:
    done: list[str] = []
    make: Callable[[], None] = lambda: done.append("made")  # noqa: E731
    plan = Plan((Step(Action.CREATE, "topic a", "", make), Step(Action.REFUSE, "table b", "why")))
    with pytest.raises(RefusedError, match="table b: why"):
        execute(plan, tell=lambda step: None)
    assert not done


def test_every_change_is_carried_out_in_order_and_told() -> None:
    done: list[str] = []
    steps = [
        Step(Action.CREATE, name, "", lambda name=name: done.append(name))  # type: ignore[misc]
        for name in ("topic a", "table a")
    ]
    told: list[Step] = []
    execute(Plan((*steps, Step(Action.KEEP, "topic b"))), tell=told.append)
    assert done == ["topic a", "table a"]
    assert told == steps


def test_a_dead_service_is_named_in_these_words(
    cli: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing listens on port 1, and no unprivileged process could.
    monkeypatch.setenv("MILLRACE_KAFKA__PORT", "1")
    code, out, error = cli("plan")
    assert (code, out) == (1, "")
    assert error == (GOLDEN / "dead_service.txt").read_text()


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (OSError("CREATE /data: 403 Name node is in safe mode"), "table a: CREATE /data: 403"),
        (MetaException("disk full"), "table a: disk full"),
        (TTransportException(message="read 0 bytes"), "it does not answer: read 0 bytes"),
    ],
)
def test_a_client_that_fails_half_way_is_an_error_with_a_remedy(
    failure: Exception, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise failure

    monkeypatch.setattr(plan_module, "require", lambda *service: None)
    monkeypatch.setattr(plan_module, "catalog", lambda settings: None)
    steps = [Step(Action.CREATE, "table a", "", fail)]
    monkeypatch.setattr(plan_module, "plan_tables", lambda catalog, contracts: steps)
    for area in ("plan_topics", "plan_subjects"):
        monkeypatch.setattr(plan_module, area, lambda settings, contracts: [])
    plan = plan_module.draw_up(Settings(), [])
    with pytest.raises(MillraceError) as refused:
        execute(plan, tell=lambda step: None)
    assert said in str(refused.value)
    assert "make " in refused.value.remedy
