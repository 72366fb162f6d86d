"""Run a DAG and tell of every change, until it has ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from millrace.errors import MillraceError
from millrace.orchestration.client import Airflow, Task
from millrace.settings import Settings

POLL_SECONDS = 1.0
ENDED = frozenset({"success", "failed"})
#: States of a task that are the cause of a failed run; `upstream_failed` is the consequence.
FAILED = "failed"


@dataclass
class Run:
    """One run of a DAG, as far as it has come."""

    dag_id: str
    run_id: str
    page: str
    state: str = "queued"
    seconds: float = 0.0
    tasks: dict[str, Task] = field(default_factory=dict)

    @property
    def failed(self) -> list[Task]:
        """The tasks that failed themselves."""
        return [task for task in self.tasks.values() if task.state == FAILED]


#: Called with the run and the tasks that changed since the last call, possibly none.
Observer = Callable[[Run, list[Task]], None]


def run_dag(
    settings: Settings,
    dag_id: str,
    conf: dict[str, Any] | None = None,
    on_event: Observer | None = None,
) -> Run:
    """Unpause a DAG, start a run of it and follow it to its end.

    Raises:
        MillraceError: the run failed; the error names the task and ends with its last log lines.
    """
    airflow = Airflow(settings)
    run = start(airflow, dag_id, conf or {})
    follow(airflow, run, on_event or (lambda run, changed: None))
    if run.state != "success":
        raise failure(airflow, run)
    return run


def start(airflow: Airflow, dag_id: str, conf: dict[str, Any]) -> Run:
    """Unpause a DAG and start a run of it."""
    airflow.unpause(dag_id)
    run_id = airflow.trigger(dag_id, conf)
    return Run(dag_id, run_id, airflow.page(dag_id, run_id))


def follow(airflow: Airflow, run: Run, on_event: Observer) -> None:
    """Observe a run until it has ended."""
    started = time.monotonic()
    while True:
        # The state first: the tasks asked for after an end are all as they ended.
        run.state = airflow.state(run.dag_id, run.run_id)
        tasks = {task.name: task for task in airflow.tasks(run.dag_id, run.run_id)}
        changed = [
            task
            for name, task in tasks.items()
            if name not in run.tasks
            or (task.state, task.try_number) != (run.tasks[name].state, run.tasks[name].try_number)
        ]
        run.tasks = tasks
        run.seconds = time.monotonic() - started
        on_event(run, changed)
        if run.state in ENDED:
            return
        time.sleep(POLL_SECONDS)


def failure(airflow: Airflow, run: Run) -> MillraceError:
    """The error of a failed run: the first task that failed, the end of its log, where to look."""
    if not run.failed:
        return MillraceError(
            f"run {run.run_id} of {run.dag_id}",
            f"it ended as {run.state}",
            f"bin/millrace logs airflow-scheduler  # or see {run.page}",
        )
    task = run.failed[0]
    lines = airflow.last_lines(run.dag_id, run.run_id, task)
    shown = "\n".join(f"    {line}" for line in lines)
    others = [other.name for other in run.failed[1:]]
    also = f" (so did {', '.join(others)})" if others else ""
    return MillraceError(
        f"task {task.name} of {run.dag_id}",
        f"it failed after {task.try_number} tries{also}; its log ends with\n{shown}",
        f"bin/millrace run {run.dag_id}  # first mend what the log names; or clear {run.page}",
    )
