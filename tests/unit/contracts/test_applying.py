"""What a plan says of each state a service may be in, and that it is carried out as it says."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC
from pyiceberg.schema import Schema
from pyiceberg.types import (
    DecimalType,
    IntegerType,
    ListType,
    LongType,
    NestedField,
    StringType,
    StructType,
)

from millrace.apply.evolution import compare
from millrace.apply.plan import Action, Plan, RefusedError, Step, execute
from millrace.apply.subjects import plan_subject
from millrace.apply.tables import (
    TABLE_PROPERTIES,
    plan_namespace,
    plan_table,
    quarantine_table,
    raw_table,
)
from millrace.apply.topics import plan_topic, topic_settings
from millrace.contracts import Contract, Field, load_contract
from millrace.settings import Settings

GOLDEN = Path(__file__).parents[2] / "golden" / "errors"
DAY_MS = 86_400_000


@pytest.fixture
def visits(folder: Path) -> Contract:
    return load_contract(folder / "visits.yaml")


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

    def latest(self, subject: str) -> dict[str, Any] | None:
        return self._latest

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


def test_what_the_registry_objects_to_is_refused_with_its_words(visits: Contract) -> None:
    registry = FakeRegistry(visits.avro_schema(), objections=("device at /fields/4",))
    step = planned(registry, with_field(visits, Field("device", "string", required=True)))
    assert step.action == Action.REFUSE
    assert "device at /fields/4" in step.detail
    assert "contracts/visits.yaml" in step.detail


# Tables


def test_columns_may_be_added_and_widened_at_every_depth() -> None:
    found = Schema(
        NestedField(1, "id", StringType()),
        NestedField(2, "count", IntegerType()),
        NestedField(3, "price", DecimalType(10, 2)),
        NestedField(4, "box", StructType(NestedField(6, "w", IntegerType()))),
        NestedField(5, "lines", ListType(7, StructType(NestedField(8, "n", IntegerType())))),
    )
    wanted = Schema(
        NestedField(1, "id", StringType(), doc="who"),
        NestedField(2, "count", LongType()),
        NestedField(3, "price", DecimalType(12, 2)),
        NestedField(
            4,
            "box",
            StructType(NestedField(6, "w", LongType()), NestedField(9, "h", IntegerType())),
        ),
        NestedField(
            5,
            "lines",
            ListType(
                7,
                StructType(
                    NestedField(8, "n", IntegerType()),
                    NestedField(10, "at", StructType(NestedField(11, "x", LongType()))),
                ),
            ),
        ),
    )
    difference = compare(found, wanted)
    assert difference.added == ("box.h", "lines.at")
    assert difference.widened == (
        "count: int -> long",
        "price: decimal(10, 2) -> decimal(12, 2)",
        "box.w: int -> long",
    )
    assert difference.described == ("id",)
    assert not difference.broken


@pytest.mark.parametrize(
    ("found", "wanted", "said"),
    [
        (LongType(), IntegerType(), "n: long -> int is no widening"),
        (IntegerType(), StringType(), "n: int -> string is no widening"),
        (DecimalType(9, 2), DecimalType(9, 3), "is no widening"),
        (ListType(2, LongType()), LongType(), "n: array of long -> long is no widening"),
    ],
)
def test_what_would_break_a_reader_is_told(found: Any, wanted: Any, said: str) -> None:
    difference = compare(Schema(NestedField(1, "n", found)), Schema(NestedField(1, "n", wanted)))
    assert said in difference.broken[0]


def test_a_column_that_is_gone_is_told_unless_it_may_be_missing() -> None:
    found, wanted = Schema(NestedField(1, "n", LongType())), Schema()
    assert compare(found, wanted).broken == ("the column n is gone",)
    assert not compare(found, wanted, may_lack=frozenset({"n"})).broken


def local(contract: Contract, tmp_path: Path) -> Any:
    return dataclasses.replace(raw_table(contract), location=f"file://{tmp_path}/raw/visits")


def carry_out(step: Step) -> None:
    assert step.perform is not None, step
    step.perform()


def test_a_table_is_created_and_then_kept(visits: Contract, catalog: Any, tmp_path: Path) -> None:
    wanted = local(visits, tmp_path)
    step = plan_table(catalog, wanted)
    assert (step.action, step.thing) == (Action.CREATE, "table raw.visits")
    carry_out(step)
    table = catalog.load_table("raw.visits")
    assert table.schema().as_struct() == wanted.schema.as_struct()
    assert table.metadata.format_version == 2
    assert TABLE_PROPERTIES.items() <= table.properties.items()
    assert plan_table(catalog, wanted) == Step(Action.KEEP, "table raw.visits")
    carry_out(step)  # another apply was faster


def test_new_columns_stand_before_those_of_landing(
    visits: Contract, catalog: Any, tmp_path: Path
) -> None:
    carry_out(plan_table(catalog, local(visits, tmp_path)))
    device = Field("device", "struct", fields=(Field("kind", "string"),))
    wanted = local(with_field(visits, device), tmp_path)
    step = plan_table(catalog, wanted)
    assert (step.action, step.detail) == (Action.ALTER, "+ device")
    carry_out(step)
    names = [field.name for field in catalog.load_table("raw.visits").schema().fields]
    assert names == [field.name for field in wanted.schema.fields]
    assert plan_table(catalog, wanted).action == Action.KEEP


def test_a_change_that_loses_a_race_is_planned_afresh(
    visits: Contract, catalog: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carry_out(plan_table(catalog, local(visits, tmp_path)))
    wanted = local(with_field(visits, Field("device", "string")), tmp_path)
    step = plan_table(catalog, wanted)
    catalog.lose_next_commit()
    carry_out(step)
    assert "device" in catalog.load_table("raw.visits").schema().column_names


def test_a_landing_table_keeps_its_bytes_when_keep_value_is_turned_off(
    visits: Contract, catalog: Any, tmp_path: Path
) -> None:
    carry_out(plan_table(catalog, local(visits, tmp_path)))
    without = local(dataclasses.replace(visits, keep_value=False), tmp_path)
    assert plan_table(catalog, without).action == Action.KEEP


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"key": ("page",)}, "its key is 'visit_id', and the contract says 'page'"),
        ({"fields": (Field("visit_id", "string"),)}, "the column page is gone"),
    ],
)
def test_a_change_that_would_break_readers_is_refused(
    visits: Contract, catalog: Any, tmp_path: Path, *, change: dict[str, Any], said: str
) -> None:
    carry_out(plan_table(catalog, local(visits, tmp_path)))
    step = plan_table(catalog, local(dataclasses.replace(visits, **change), tmp_path))
    assert step.action == Action.REFUSE
    assert said in step.detail
    assert "contracts/visits.yaml" in step.detail


def test_a_table_is_never_moved_or_partitioned_anew(
    visits: Contract, catalog: Any, tmp_path: Path
) -> None:
    wanted = local(visits, tmp_path)
    carry_out(plan_table(catalog, wanted))
    moved = plan_table(catalog, dataclasses.replace(wanted, location="s3://data-lake/raw/visits"))
    assert (moved.action, "it lives at" in moved.detail) == (Action.REFUSE, True)
    other = dataclasses.replace(wanted, partitioning=UNPARTITIONED_PARTITION_SPEC)
    assert "it is partitioned by" in plan_table(catalog, other).detail


def test_a_changed_owner_or_retention_alters_the_table(
    visits: Contract, catalog: Any, tmp_path: Path
) -> None:
    carry_out(plan_table(catalog, local(visits, tmp_path)))
    changed = local(dataclasses.replace(visits, owner="shop", retention_days=5), tmp_path)
    step = plan_table(catalog, changed)
    assert step.detail == "owner=shop, millrace.retention-days=5"
    carry_out(step)
    assert catalog.load_table("raw.visits").properties["owner"] == "shop"


def test_quarantine_is_planned_like_any_table(catalog: Any, tmp_path: Path) -> None:
    wanted = dataclasses.replace(quarantine_table(), location=f"file://{tmp_path}/quarantine")
    carry_out(plan_table(catalog, wanted))
    assert plan_table(catalog, wanted).action == Action.KEEP


def test_a_namespace_is_created_once(catalog: Any, tmp_path: Path) -> None:
    step = plan_namespace(catalog, "processed", f"file://{tmp_path}/processed")
    assert step.action == Action.CREATE
    carry_out(step)
    assert plan_namespace(catalog, "processed", f"file://{tmp_path}/processed").action == "keep"


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
