"""dbt in the pipeline: one process builds all models, one visible task a model.

The producer runs `dbt build` once and publishes each model's outcome the moment dbt has it. A
model's task is started in the triggerer, ends there with its model's success, and reaches a worker
only to fail or to build its model by itself: after a failure, after a skip, or when somebody
clears it. Cosmos' WATCHER mode has the same shape, but its producer skips itself on a second try
and each of its model tasks takes a worker twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator, TaskGroup
from airflow.sdk.exceptions import AirflowException
from airflow.triggers.base import StartTriggerArgs

from millrace_airflow import addresses, model_trigger
from millrace_airflow.dbt_events import EventReader
from millrace_airflow.defaults import TRINO_POOL
from millrace_airflow.millrace import EXECUTABLE
from millrace_airflow.model_trigger import ModelTrigger
from millrace_airflow.models import read_models
from millrace_airflow.outcomes import FAILED, Outcomes
from millrace_airflow.process import Process
from millrace_airflow.tries import is_first_try

#: Kept between runs, since dbt parses only what changed; apart from the folder of `make dbt`.
TARGET = "$MILLRACE_HOME/dbt/pipeline"
#: dbt's own code for "ran to its end, some nodes failed"; anything above is dbt's own failure.
NODES_FAILED = 1


class DbtOperator(BaseOperator):
    """What the producer and the models' tasks share: run `dbt build` and publish outcomes."""

    def __init__(self, *, pool: str = TRINO_POOL, **kwargs: Any) -> None:
        super().__init__(pool=pool, **kwargs)
        self._process = Process()

    def command(self, *selection: str) -> list[str]:
        """`dbt build` with the event stream on standard output."""
        words = [EXECUTABLE, "dbt", "build", "--target-path", TARGET]
        return [*words, "--log-format", "json", "--log-level", "debug", *selection]

    def build(self, outcomes: Outcomes, *selection: str) -> EventReader:
        """Run dbt to its end; nodes that failed are in the outcomes, not an exception."""
        manifest = addresses.home() / "dbt" / "pipeline" / "manifest.json"
        reader = EventReader(manifest, outcomes.write)
        command = self.command(*selection)
        code = self._process.run(command, reader.line, accept=(0, NODES_FAILED))
        if code == NODES_FAILED and not reader.finished:
            # The command line's own errors, such as a Trino that is down, end with 1 as well.
            raise self._process.failure(command)
        reader.close()
        return reader

    def on_kill(self) -> None:
        """End dbt with the task; dbt cancels its running queries."""
        self._process.stop()


class DbtBuildOperator(DbtOperator):
    """The producer: build every model, once.

    It fails where dbt itself fails, or where something fails that no model answers for, such as a
    test of a source. A retry leaves out what was already built; clearing it builds all again.
    """

    ui_color = "#dcfce7"

    def execute(self, context: Any) -> None:
        """Build what this run has not built yet."""
        instance = context["ti"]
        # First: what an earlier try still builds would be built twice.
        self._process.take(instance)
        outcomes = Outcomes(instance.dag_id, instance.run_id)
        if is_first_try(self, instance):
            outcomes.forget()
        done = outcomes.succeeded()
        reader = self.build(outcomes, *(["--exclude", *done] if done else []))
        if reader.unowned:
            raise AirflowException("\n".join(reader.unowned))


class DbtModelOperator(DbtOperator):
    """One model's task. Its start costs nothing: the triggerer waits for the outcome."""

    ui_color = "#f0fdf4"
    start_from_trigger = True

    def __init__(self, *, model: str, producer: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls=f"{ModelTrigger.__module__}.{ModelTrigger.__qualname__}",
            next_method=self.finish.__name__,
            trigger_kwargs={"model": model, "producer": producer},
            timeout=self.execution_timeout,
        )

    def execute(self, context: Any) -> None:
        """Build the model where nothing waits for the producer, as `airflow tasks test`."""
        self.finish(context, {"action": model_trigger.REBUILD, "message": ""})

    def finish(self, context: Any, event: dict[str, str]) -> None:
        """Fail with dbt's message, or build the model and its tests."""
        if event["action"] == model_trigger.RAISE:
            raise AirflowException(event["message"])
        instance = context["ti"]
        self._process.take(instance)
        outcomes = Outcomes(instance.dag_id, instance.run_id)
        self.build(outcomes, "--select", self.model)
        outcome = outcomes.read(self.model)
        if outcome is None:
            raise AirflowException(f"dbt has no model {self.model}; to mend it: make dbt ARGS=ls")
        outcomes.take(self.model, outcome)
        if outcome.status == FAILED:
            raise AirflowException(outcome.message)


@dataclass(frozen=True)
class DbtTasks:
    """The producer, the models that read no other model, and those that no other reads."""

    producer: DbtBuildOperator
    roots: list[DbtModelOperator]
    leaves: list[DbtModelOperator]


def dbt_tasks(project: Path | None = None) -> DbtTasks:
    """One task a model in groups by layer, ordered as the models read each other.

    Call it inside a task group. The roots and the producer are the caller's to order.
    """
    producer = DbtBuildOperator(task_id="build_models")
    models = read_models(project or addresses.root() / "dbt_project")
    tasks: dict[str, DbtModelOperator] = {}
    for layer in dict.fromkeys(model.layer for model in models.values()):
        with TaskGroup(layer):
            for model in models.values():
                if model.layer == layer:
                    tasks[model.name] = DbtModelOperator(
                        task_id=model.name, model=model.name, producer=producer.task_id
                    )
    for name, task in tasks.items():
        for upstream in sorted(models[name].reads):
            tasks[upstream] >> task
    return DbtTasks(
        producer,
        roots=[task for task in tasks.values() if not task.upstream_list],
        leaves=[task for task in tasks.values() if not task.downstream_list],
    )
