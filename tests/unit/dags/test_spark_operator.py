"""The Spark operator against recorded answers of a ResourceManager."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowException, TaskDeferralTimeout, TaskDeferred

from millrace_airflow import yarn
from millrace_airflow.spark import SparkOperator
from millrace_airflow.yarn_trigger import YarnApplicationTrigger

RECORDED = Path(__file__).resolve().parents[2] / "data" / "yarn"
APPS = "/ws/v1/cluster/apps"
TAGS = yarn.Tags.of("shop", "build", "manual__2026-01-01")


def listed(*apps: dict[str, Any]) -> dict[str, Any]:
    """The answer to a search; YARN gives an empty object where it finds nothing."""
    return {"apps": {"app": list(apps)} if apps else {}}


@pytest.fixture
def submissions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose `spark-submit` writes down its arguments."""
    script = tmp_path / "scripts" / "spark-submit"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/submissions\n')
    script.chmod(0o755)
    monkeypatch.setenv("MILLRACE_ROOT", str(tmp_path))
    return tmp_path / "submissions"


@pytest.fixture
def operator() -> SparkOperator:
    """A job of the batch queue."""
    with DAG("shop"):
        return SparkOperator(
            task_id="build", application="jobs/build.py", arguments=["--day", "1"], retries=3
        )


def deferred_to(operator: SparkOperator, instance: Any) -> str:
    """The application that a try ends up waiting for."""
    with pytest.raises(TaskDeferred) as deferral:
        operator.execute({"ti": instance})
    trigger = deferral.value.trigger
    assert isinstance(trigger, YarnApplicationTrigger)
    return trigger.application_id


def test_the_first_try_submits_with_its_tags_and_waits(
    operator: SparkOperator, instance: Any, submissions: Path, resource_manager: Any, recorded: Any
) -> None:
    running = recorded("running")
    resource_manager.answer("GET", APPS, listed(), listed(running))
    assert deferred_to(operator, instance) == running["id"]
    (line,) = submissions.read_text().splitlines()
    assert f"spark.yarn.tags={TAGS.task},{TAGS.generation}" in line
    assert "spark.yarn.submit.waitAppCompletion=false" in line
    assert "--queue batch" in line
    assert line.endswith("/jobs/build.py --day 1")


def test_a_second_try_adopts_the_living_application(
    operator: SparkOperator, instance: Any, submissions: Path, resource_manager: Any, recorded: Any
) -> None:
    running = recorded("running")
    resource_manager.answer("GET", APPS, listed(recorded("failed"), running))
    instance.try_number = 2
    assert deferred_to(operator, instance) == running["id"]
    assert not submissions.exists()


def test_a_second_try_is_done_where_the_first_ones_application_has_succeeded(
    operator: SparkOperator, instance: Any, submissions: Path, resource_manager: Any, recorded: Any
) -> None:
    finished = recorded("finished")
    resource_manager.answer("GET", APPS, listed(finished))
    instance.try_number = 2
    assert operator.execute({"ti": instance}) == finished["id"]
    assert not submissions.exists()


def test_clearing_a_task_that_succeeded_submits_again(
    operator: SparkOperator, instance: Any, submissions: Path, resource_manager: Any, recorded: Any
) -> None:
    running = recorded("running")
    resource_manager.answer(
        "GET", APPS, listed(recorded("finished")), listed(recorded("finished"), running)
    )
    # What Airflow does when a task with three retries is cleared after one try.
    instance.try_number, instance.max_tries = 2, 4
    assert deferred_to(operator, instance) == running["id"]
    assert f"{TAGS.task}-g1" in submissions.read_text()


def test_a_failed_application_is_submitted_again(
    operator: SparkOperator, instance: Any, submissions: Path, resource_manager: Any, recorded: Any
) -> None:
    running = recorded("running")
    resource_manager.answer(
        "GET", APPS, listed(recorded("failed")), listed(recorded("failed"), running)
    )
    assert deferred_to(operator, instance) == running["id"]
    assert len(submissions.read_text().splitlines()) == 1


def test_a_submission_that_fails_shows_the_end_of_its_output(
    operator: SparkOperator, instance: Any, submissions: Path, resource_manager: Any
) -> None:
    script = submissions.parent / "scripts" / "spark-submit"
    script.write_text("#!/bin/sh\necho the queue is unknown >&2\nexit 3\n")
    resource_manager.answer("GET", APPS, listed())
    with pytest.raises(AirflowException, match="ended with 3:\nthe queue is unknown"):
        operator.execute({"ti": instance})


def test_a_failure_names_the_application_its_diagnostics_and_its_log(
    operator: SparkOperator, resource_manager: Any, recorded: Any
) -> None:
    container = "container_1_0001_01_000001"
    log = f"{resource_manager.url}/node/containerlogs/{container}/millrace"
    stdout = (RECORDED / "stdout.txt").read_text()
    resource_manager.answer("GET", f"/ws/v1/node/containers/{container}/logs/stdout", stdout)
    failed = yarn.Application.parse(recorded("failed", amContainerLogs=log))
    event = YarnApplicationTrigger._event(failed)
    with pytest.raises(AirflowException) as error:
        operator.finish({}, event.payload)
    text = str(error.value)
    assert failed.id in text
    assert "jobs/build.py" in text
    assert "User application exited with status 1" in text
    assert "ValueError: planted failure" in text
    assert log in text


def test_the_timeout_of_the_wait_kills_the_application(
    operator: SparkOperator, instance: Any, resource_manager: Any, recorded: Any
) -> None:
    running = recorded("running")
    resource_manager.answer("GET", APPS, listed(running))
    resource_manager.answer("PUT", f"{APPS}/{running['id']}/state", {"state": "KILLED"}, status=202)
    with pytest.raises(TaskDeferralTimeout):
        operator.resume_execution("__fail__", {"error": "Trigger timeout"}, {"ti": instance})
    assert resource_manager.bodies("PUT") == [{"state": "KILLED"}]


def test_ending_the_task_during_its_submission_kills_what_was_accepted(
    operator: SparkOperator, instance: Any, submissions: Path, resource_manager: Any, recorded: Any
) -> None:
    running = recorded("running")
    resource_manager.answer("GET", APPS, listed(running))
    resource_manager.answer("PUT", f"{APPS}/{running['id']}/state", {"state": "KILLED"}, status=202)
    deferred_to(operator, instance)
    operator.on_kill()
    assert resource_manager.bodies("PUT") == [{"state": "KILLED"}]


def test_tags_are_short_lower_case_and_those_of_one_task_of_one_run() -> None:
    long = yarn.Tags.of("D" * 200, "T" * 200, "run", generation=12)
    assert len(long.generation) <= yarn.TAG_LENGTH
    assert long.generation == long.generation.lower()
    others = [("shop", "build", "other"), ("shop", "other", "manual__2026-01-01")]
    assert len({TAGS.task, *(yarn.Tags.of(*other).task for other in others)}) == 3
    mapped = yarn.Tags.of("shop", "build", "manual__2026-01-01", map_index=1)
    assert mapped.task != TAGS.task
