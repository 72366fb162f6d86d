"""Every DAG is named, every command is a golden file, every task keeps the house's rules."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pendulum
import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.timetables.base import DataInterval, TimeRestriction

from millrace_airflow.dbt import DbtBuildOperator, DbtModelOperator
from millrace_airflow.millrace import MillraceOperator
from millrace_airflow.models import read_models
from millrace_airflow.notify import notify
from millrace_airflow.spark import SparkOperator
from millrace_airflow.starburst import StarburstOperator

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = ROOT / "tests" / "golden" / "tasks"
DAGS = {"enterprise_data_pipeline", "lake_landing", "lake_maintenance_daily"}
GROUPS = ["data_generation", "data_ingestion", "data_processing", "data_storage", "analytics"]
#: Seconds for one parse, of the processor's time limit and of every task's start.
PARSE_CEILING = 1.0


@pytest.fixture(scope="module")
def bag() -> DagBag:
    """All DAGs of the project."""
    return DagBag(str(ROOT / "airflow" / "dags"))


@pytest.fixture(scope="module")
def tasks(bag: DagBag) -> list[Any]:
    """Every task of every DAG."""
    return [task for dag in bag.dags.values() for task in dag.tasks]


def test_every_dag_is_named_and_none_fails_to_import(bag: DagBag) -> None:
    assert not bag.import_errors
    assert set(bag.dags) == DAGS


def test_a_dag_is_in_the_file_of_its_name(bag: DagBag) -> None:
    for dag_id, dag in bag.dags.items():
        assert Path(dag.fileloc).name == f"{dag_id}.py"


def test_no_run_overlaps_another_and_none_is_caught_up(bag: DagBag) -> None:
    for dag in bag.dags.values():
        assert dag.max_active_runs == 1
        assert dag.catchup is False


def test_every_task_keeps_the_defaults(tasks: list[Any]) -> None:
    for task in tasks:
        assert task.owner == "millrace", task.task_id
        assert task.retries >= 1, task.task_id
        assert task.retry_exponential_backoff, task.task_id
        assert task.execution_timeout <= timedelta(hours=1), task.task_id
        assert list(task.on_failure_callback) == [notify], task.task_id


def test_spark_and_sql_go_through_their_pools(tasks: list[Any]) -> None:
    pools = {SparkOperator: "spark", StarburstOperator: "trino"}
    pools |= {DbtBuildOperator: "trino", DbtModelOperator: "trino"}
    for task in tasks:
        assert task.pool == pools.get(type(task), "default_pool"), task.task_id


def test_batch_jobs_are_submitted_to_the_batch_queue(tasks: list[Any]) -> None:
    jobs = [task for task in tasks if isinstance(task, SparkOperator)]
    assert jobs
    for job in jobs:
        assert job.yarn_queue == "batch"
        assert (ROOT / job.application).exists(), job.application


def test_the_pipeline_has_its_groups_and_ends_with_complete(bag: DagBag) -> None:
    dag = bag.dags["enterprise_data_pipeline"]
    groups = dag.task_group.get_task_group_dict()
    assert [name for name in groups if name and "." not in name] == GROUPS
    assert [task.task_id for task in dag.leaves] == ["complete"]
    assert dag.timetable.summary == "0 2 * * *"


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("data_ingestion.apply_contracts", "data_generation.publish_sample"),
        ("data_generation.publish_sample", "data_ingestion.wait_for_landing"),
        ("data_ingestion.wait_for_landing", "data_ingestion.check_quarantine"),
        ("data_ingestion.check_quarantine", "data_processing.build_processed"),
        ("data_processing.build_processed", "data_storage.check_processed"),
        ("data_storage.check_processed", "analytics.build_models"),
        ("data_storage.check_processed", "analytics.staging.stg_orders"),
        ("analytics.build_models", "analytics.check_daily_revenue"),
        ("analytics.marts.daily_revenue", "analytics.check_daily_revenue"),
    ],
)
def test_the_pipeline_keeps_its_order(bag: DagBag, earlier: str, later: str) -> None:
    dag = bag.dags["enterprise_data_pipeline"]
    assert earlier in {task.task_id for task in dag.get_task(later).get_flat_relatives(True)}


def interval(dag: Any) -> timedelta:
    """From one scheduled run of a DAG to the next."""
    ticks = [pendulum.datetime(2026, 1, 1)]
    for _ in range(2):
        run = dag.timetable.next_dagrun_info(
            last_automated_data_interval=DataInterval.exact(ticks[-1]),
            restriction=TimeRestriction(earliest=None, latest=None, catchup=True),
        )
        ticks.append(run.run_after)
    return ticks[2] - ticks[1]


def test_a_check_of_the_streams_looks_back_to_the_run_before(tasks: list[Any]) -> None:
    """Else what turns bad between two runs and ends before the second fails neither."""
    units = {"m": "minutes", "h": "hours", "d": "days"}
    checks = {task.dag_id: task for task in tasks if task.label == "check_quarantine"}
    assert set(checks) == {"enterprise_data_pipeline", "lake_landing"}
    for check in checks.values():
        since = check.arguments[check.arguments.index("--since") + 1]
        window = timedelta(**{units[since[-1]]: int(since[:-1])})
        assert window >= interval(check.dag), check.dag_id


def test_any_dataset_that_turns_bad_fails_landings_run_and_holds_up_nothing(bag: DagBag) -> None:
    check = bag.dags["lake_landing"].get_task("check_quarantine")
    assert "--dataset" not in check.arguments
    assert check.downstream_task_ids == set()
    assert check.trigger_rule.value == "all_success"
    assert check.retries == 1


def test_what_watches_the_streams_runs_where_landing_can_not_start(bag: DagBag) -> None:
    tasks = bag.dags["lake_landing"].task_dict
    waiting = {name: task.upstream_task_ids for name, task in tasks.items()}
    assert {name for name, others in waiting.items() if others} == {"publish_dead_letters"}
    assert waiting["publish_dead_letters"] == {"report_quarantine"}


def test_maintenance_shows_its_plan_first_and_ends_with_what_deletes_files(bag: DagBag) -> None:
    steps = bag.dags["lake_maintenance_daily"].topological_sort()
    assert [task.task_id for task in steps] == [
        "show_plan",
        "remove_old_rows",
        "rewrite_manifests",
        "compact_files",
        "expire_snapshots",
        "remove_orphans",
        "complete",
    ]
    assert bag.dags["lake_maintenance_daily"].timetable.summary == "30 4 * * *"
    # A failure leaves the later steps their turn, and the run is failed all the same.
    assert {task.trigger_rule.value for task in steps[1:-1]} == {"all_done"}
    assert steps[-1].trigger_rule.value == "all_success"
    assert len(steps[-1].upstream_task_ids) == 6


def test_there_is_one_task_for_each_model(bag: DagBag) -> None:
    dag = bag.dags["enterprise_data_pipeline"]
    named = {task.model for task in dag.tasks if isinstance(task, DbtModelOperator)}
    assert named == set(read_models(ROOT / "dbt_project"))
    assert {"fact_sales", "dim_customer", "daily_revenue", "stg_orders"} <= named


def words(task: Any) -> str:
    """What a task runs, with the variables of the machine left as variables."""
    task.render_template_fields(
        {
            "params": task.dag.params.dump(),
            "ti": SimpleNamespace(max_tries=task.retries),
            "task": task,
            "dag": task.dag,
            "run_id": "manual__2026-01-01",
        }
    )
    if isinstance(task, StarburstOperator):
        return ";\n".join(statement.strip() for statement in task.statements)
    if isinstance(task, EmptyOperator):
        return "nothing"
    if isinstance(task, DbtModelOperator):
        return shlex.join(task.command("--select", task.model))
    if isinstance(task, DbtBuildOperator):
        return shlex.join(task.command())
    if isinstance(task, SparkOperator):
        from millrace_airflow.yarn import Tags  # noqa: PLC0415

        return shlex.join(task.command(Tags.of(task.dag_id, task.task_id, "golden")))
    assert isinstance(task, MillraceOperator), f"{task.task_id} needs a line here"
    return shlex.join(task.command)


def test_the_command_of_every_task_is_as_recorded(tasks: list[Any]) -> None:
    """Record anew with `MILLRACE_RECORD=1 millrace test dags`, then read the difference."""
    found = {f"{task.dag_id}.{task.task_id}.txt": words(task) + "\n" for task in tasks}
    if os.environ.get("MILLRACE_RECORD"):
        for file in GOLDEN.glob("*.txt"):
            file.unlink()
        for name, text in found.items():
            (GOLDEN / name).write_text(text)
    recorded = {file.name: file.read_text() for file in GOLDEN.glob("*.txt")}
    assert found == recorded


def test_the_dags_parse_fast() -> None:
    """In a fresh process that has Airflow imported, as the processor's forks have."""
    program = (
        "import airflow.sdk, airflow.providers.standard.operators.empty, time, runpy, sys\n"
        "import airflow.dag_processing.dagbag\n"
        "started = time.perf_counter()\n"
        "for file in sys.argv[1:]: runpy.run_path(file)\n"
        "print(time.perf_counter() - started)\n"
    )
    files = [str(file) for file in sorted((ROOT / "airflow" / "dags").glob("*.py"))]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *files],
        env={**os.environ, "PYTHONPATH": str(ROOT / "airflow" / "include")},
        check=True,
        capture_output=True,
        text=True,
    )
    assert float(done.stdout.split()[-1]) < PARSE_CEILING


def test_a_project_without_models_still_parses(tmp_path: Path) -> None:
    assert read_models(tmp_path) == {}
