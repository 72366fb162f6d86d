"""One dbt process, one task a model: outcomes, retries, clearing."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowException
from airflow.serialization.serialized_objects import DagSerialization
from airflow.triggers.base import TaskSuccessEvent

from millrace_airflow.dbt import DbtBuildOperator, DbtModelOperator, dbt_tasks
from millrace_airflow.model_trigger import ModelTrigger
from millrace_airflow.models import read_models
from millrace_airflow.outcomes import FAILED, SKIPPED, SUCCESS, Outcome, Outcomes

ROOT = Path(__file__).resolve().parents[3]
RUN = ("shop", "manual__2026-01-01")


@pytest.fixture
def outcomes(state: Path) -> Outcomes:
    """The outcomes of one run."""
    return Outcomes(*RUN)


TRIGGER = ModelTrigger(model="a", producer="analytics.build_models")
DONE = Outcome(SUCCESS, "SELECT 1", "one")
BROKEN = Outcome(FAILED, "boom", "one")


def test_the_task_of_a_model_ends_with_the_models_success(outcomes: Outcomes) -> None:
    assert TRIGGER.decide(outcomes, "running") is None
    outcomes.write("a", DONE)
    assert isinstance(TRIGGER.decide(outcomes, "running"), TaskSuccessEvent)


def test_a_failed_model_fails_its_task_with_dbts_message(outcomes: Outcomes) -> None:
    outcomes.write("a", BROKEN)
    event = TRIGGER.decide(outcomes, "running")
    assert event.payload == {"action": "raise", "message": "boom"}


def test_a_retry_builds_the_model_once_the_producer_has_ended(outcomes: Outcomes) -> None:
    outcomes.write("a", BROKEN)
    TRIGGER.decide(outcomes, "running")
    assert TRIGGER.decide(outcomes, "running") is None
    assert TRIGGER.decide(outcomes, "success").payload["action"] == "rebuild"


def test_clearing_one_model_builds_it_again(outcomes: Outcomes) -> None:
    outcomes.write("a", DONE)
    TRIGGER.decide(outcomes, "success")
    assert TRIGGER.decide(outcomes, "success").payload["action"] == "rebuild"


def test_clearing_all_waits_for_the_producers_new_outcome(outcomes: Outcomes) -> None:
    outcomes.write("a", DONE)
    TRIGGER.decide(outcomes, "success")
    outcomes.forget()
    assert TRIGGER.decide(outcomes, None) is None
    outcomes.write("a", Outcome(SUCCESS, "SELECT 1", "two"))
    assert isinstance(TRIGGER.decide(outcomes, "running"), TaskSuccessEvent)


def test_a_skipped_model_waits_for_the_producer_and_then_builds_itself(outcomes: Outcomes) -> None:
    outcomes.write("a", Outcome(SKIPPED, "skipped", "one"))
    assert TRIGGER.decide(outcomes, "running") is None
    assert TRIGGER.decide(outcomes, "success").payload["action"] == "rebuild"


def test_a_producer_that_has_failed_fails_the_models_it_left(outcomes: Outcomes) -> None:
    assert TRIGGER.decide(outcomes, "up_for_retry") is None
    event = TRIGGER.decide(outcomes, "failed")
    assert event.payload["action"] == "raise"
    assert "analytics.build_models is failed" in event.payload["message"]


def test_the_trigger_survives_the_way_through_the_database() -> None:
    name, arguments = TRIGGER.serialize()
    assert name == "millrace_airflow.model_trigger.ModelTrigger"
    assert ModelTrigger(**json.loads(json.dumps(arguments))).serialize() == (name, arguments)


def test_outcomes_of_old_runs_are_dropped(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("millrace_airflow.outcomes.KEPT_RUNS", 2)
    for day in range(4):
        run = Outcomes("shop", f"run/{day}")
        run.write("a", DONE)
        os.utime(run.folder, (day, day))
    Outcomes("shop", "run/9").forget()
    assert [Outcomes("shop", f"run/{day}").read("a") for day in range(4)] == [
        None,
        None,
        DONE,
        DONE,
    ]


@pytest.fixture
def dbt(state: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A command line that prints `says`, ends with the code in `ends`, and notes its call."""
    script = state / "bin" / "millrace"
    script.parent.mkdir()
    script.write_text(
        f'#!/bin/sh\necho "$@" >> {state}/calls\ncat {state}/says\nexit $(cat {state}/ends)\n'
    )
    script.chmod(0o755)
    (state / "ends").write_text("0")
    monkeypatch.setenv("MILLRACE_ROOT", str(state))
    return state


@pytest.fixture
def producer() -> DbtBuildOperator:
    """The task that builds all."""
    with DAG("shop"):
        return DbtBuildOperator(task_id="build_models", retries=3)


@pytest.fixture
def all_of_a(finished: Any) -> list[str]:
    """What dbt prints while it builds the model `a`."""
    return [finished("model.p.a", "success"), finished("test.p.unique_a", "pass")]


def test_the_producer_publishes_and_a_failed_model_is_not_its_failure(
    dbt: Path, producer: DbtBuildOperator, instance: Any, all_of_a: list[str], finished: Any
) -> None:
    (dbt / "says").write_text("\n".join([*all_of_a, finished("model.p.b", "error", "boom")]))
    (dbt / "ends").write_text("1")
    producer.execute({"ti": instance})
    outcomes = Outcomes(instance.dag_id, instance.run_id)
    assert outcomes.read("a").status == SUCCESS
    assert outcomes.read("b").status == FAILED


def test_a_retry_of_the_producer_leaves_out_what_is_built(
    dbt: Path, producer: DbtBuildOperator, instance: Any, all_of_a: list[str], finished: Any
) -> None:
    (dbt / "says").write_text("\n".join(all_of_a))
    (dbt / "ends").write_text("2")
    with pytest.raises(AirflowException, match="ended with 2"):
        producer.execute({"ti": instance})
    (dbt / "says").write_text(finished("model.p.b", "success"))
    (dbt / "ends").write_text("0")
    instance.try_number = 2
    producer.execute({"ti": instance})
    first, second = (dbt / "calls").read_text().splitlines()
    assert "--exclude" not in first
    assert second.endswith("--exclude a")


def test_clearing_the_producer_builds_all_again(
    dbt: Path, producer: DbtBuildOperator, instance: Any, all_of_a: list[str]
) -> None:
    (dbt / "says").write_text("\n".join(all_of_a))
    producer.execute({"ti": instance})
    instance.try_number, instance.max_tries = 2, 4
    producer.execute({"ti": instance})
    assert "--exclude" not in (dbt / "calls").read_text()


def test_an_error_before_the_first_node_is_the_producers_own(
    dbt: Path, producer: DbtBuildOperator, instance: Any
) -> None:
    (dbt / "says").write_text("error: Trino at 127.0.0.1:8081: no answer\n  to mend it: make up\n")
    (dbt / "ends").write_text("1")
    with pytest.raises(AirflowException, match="no answer\n  to mend it: make up"):
        producer.execute({"ti": instance})


def test_a_failed_source_fails_the_producer(
    dbt: Path, producer: DbtBuildOperator, instance: Any, finished: Any
) -> None:
    (dbt / "says").write_text(finished("test.p.source_test", "fail", "Got 1 result"))
    (dbt / "ends").write_text("1")
    with pytest.raises(AirflowException, match="source_test: Got 1 result"):
        producer.execute({"ti": instance})


def test_a_model_builds_itself_with_its_tests(
    dbt: Path, instance: Any, all_of_a: list[str], finished: Any
) -> None:
    with DAG("shop"):
        task = DbtModelOperator(task_id="a", model="a", producer="build_models", retries=3)
    (dbt / "says").write_text("\n".join(all_of_a))
    task.finish({"ti": instance}, {"action": "rebuild", "message": ""})
    assert (dbt / "calls").read_text().rstrip().endswith("--select a")
    outcomes = Outcomes(instance.dag_id, instance.run_id)
    assert outcomes.taken("a") == outcomes.read("a")
    (dbt / "says").write_text(finished("model.p.a", "error", "boom"))
    (dbt / "ends").write_text("1")
    with pytest.raises(AirflowException, match=r"model\.p\.a: boom"):
        task.finish({"ti": instance}, {"action": "rebuild", "message": ""})


def test_a_models_task_starts_in_the_triggerer_also_after_serialisation(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "marts"
    folder.mkdir(parents=True)
    (folder / "a.sql").write_text("select 1")
    (folder / "b.sql").write_text("select * from {{ ref('a') }}, {{ ref( \"a\" ) }}, ref('gone')")
    with DAG("shop") as dag:
        dbt = dbt_tasks(tmp_path)
    assert [task.model for task in dbt.roots] == ["a"]
    assert [task.model for task in dbt.leaves] == ["b"]
    again = DagSerialization.from_dict(DagSerialization.to_dict(dag)).get_task("marts.a")
    assert again.start_from_trigger is True
    assert again.start_trigger_args.trigger_cls == "millrace_airflow.model_trigger.ModelTrigger"
    assert again.start_trigger_args.next_method == "finish"


def test_the_models_and_their_edges_are_those_of_dbts_own_manifest(tmp_path: Path) -> None:
    """dbt's parse is the truth; the reading of the files must agree with it."""
    subprocess.run(
        [str(ROOT / "bin" / "millrace"), "dbt", "parse", "--target-path", str(tmp_path)],
        check=True,
        capture_output=True,
        env={**os.environ, "MILLRACE_ROOT": str(ROOT)},
    )
    nodes = json.loads((tmp_path / "manifest.json").read_text())["nodes"]
    models = {key: node for key, node in nodes.items() if node["resource_type"] == "model"}
    expected = {
        node["name"]: {models[key]["name"] for key in node["depends_on"]["nodes"] if key in models}
        for node in models.values()
    }
    found = {name: set(model.reads) for name, model in read_models(ROOT / "dbt_project").items()}
    assert found == expected
