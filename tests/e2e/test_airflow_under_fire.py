"""Schedulers, workers and triggerers die, freeze and thaw; each task has its effect once.

A finished run is the ground: one task of it is cleared, which asks for its work once more, and is
struck at the moment that is looked for, never after a time. What it may have done twice is counted
where it would show: records in the tables, snapshots, applications on YARN.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import psutil
import pytest
import requests

from millrace.demo.counts import PROCESSED
from millrace.orchestration.client import Airflow, Task
from millrace.settings import Settings
from millrace_producers.sample.files import DATASETS, read_manifest

pytestmark = [pytest.mark.native, pytest.mark.fire]

Query = Callable[[str], list[list[Any]]]

DAG = "enterprise_data_pipeline"
PUBLISH = "data_generation.publish_sample"
BUILD = "data_processing.build_processed"
#: A silent worker is given up after 60 s, looked for every 10, and retried after 15.
RETRIED_WITHIN_S = 300
ENDED_WITHIN_S = 900
LOOK_S = 0.1


def words_of(process: psutil.Process) -> str:
    """Its command line; empty where it has ended meanwhile."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def until(check: Callable[[], Any], within_s: float, what: str) -> Any:
    """The first true answer."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if answer := check():
            return answer
        time.sleep(LOOK_S)
    raise AssertionError(f"not within {within_s:.0f} s: {what}")


@dataclass
class Fire:
    """A finished run of the pipeline, and what is done to it."""

    cluster: Settings
    airflow: Airflow
    services: Any
    query: Query
    millrace: Any
    run_id: str
    frozen: list[psutil.Process] = field(default_factory=list)

    def task(self, task_id: str) -> Task:
        tasks = self.airflow.tasks(DAG, self.run_id)
        return next(task for task in tasks if task.task_id == task_id)

    def clear(self, task_id: str) -> int:
        """Ask for a task's work once more; the number of its last try."""
        before = self.task(task_id).try_number
        self.airflow.clear(DAG, self.run_id, [task_id])
        return before

    def command(self, words: str) -> psutil.Process | None:
        """The command of a task that is running, once it has become what it is to be."""
        for process in psutil.process_iter():
            said = words_of(process)
            if words in said and "setpriv" not in said and self.above(process):
                return process
        return None

    def above(self, process: psutil.Process) -> list[psutil.Process]:
        """The processes of Airflow that a task's command belongs to, the nearest first."""
        try:
            return [each for each in process.parents() if "airflow worker" in words_of(each)]
        except psutil.Error:
            return []

    def workers(self) -> list[psutil.Process]:
        """The processes of the scheduler that tasks run in."""
        scheduler = psutil.Process(int(self.services.identity("airflow-scheduler")))
        return [each for each in scheduler.children() if "airflow worker" in words_of(each)]

    def freeze(self, victims: Iterable[psutil.Process]) -> None:
        for each in victims:
            self.frozen.append(each)
            each.suspend()

    def thaw(self) -> None:
        for each in self.frozen:
            if each.is_running():
                each.resume()
        self.frozen.clear()

    def succeeded(self, task_id: str, within_s: float = ENDED_WITHIN_S) -> Task:
        """The task, when it has succeeded."""

        def ended() -> Task | None:
            task = self.task(task_id)
            assert task.state != "failed", task
            return task if task.state == "success" else None

        task: Task = until(ended, within_s, f"{task_id} has succeeded")
        return task

    def records(self) -> dict[str, int]:
        """What has landed of each dataset, good and bad, when all has."""
        self.millrace("landing", "wait", "--timeout", "300")
        bad = "(select count(*) from raw.quarantine where dataset = '{0}' and status <> 'replayed')"
        return self.counts(f"(select count(*) from raw.{{0}}) + {bad}", DATASETS)

    def sample(self) -> dict[str, int]:
        """What the sample holds of each dataset."""
        known = read_manifest(self.cluster.sample)["datasets"]
        return {
            name: known[name]["records"] + sum(known[name]["bad"].values()) for name in DATASETS
        }

    def snapshots(self) -> dict[str, int]:
        return self.counts('(select count(*) from processed."{0}$snapshots")', PROCESSED)

    def since(self, before: dict[str, int], now: dict[str, int]) -> dict[str, int]:
        return {name: now[name] - before[name] for name in before}

    def counts(self, number: str, names: Iterable[str]) -> dict[str, int]:
        selects = (f"select '{name}', {number.format(name)}" for name in names)
        return {str(name): int(count) for name, count in self.query(" union all ".join(selects))}

    def applications(self) -> dict[str, str]:
        """The applications of the build, and how each ended."""
        answer = requests.get(
            f"{self.cluster.resourcemanager.web_url}/ws/v1/cluster/apps", timeout=30
        ).json()
        found = (answer["apps"] or {}).get("app", [])
        return {
            each["id"]: each["finalStatus"] for each in found if each["name"] == f"{DAG}.{BUILD}"
        }

    def ends_of_others(self, known: Collection[str]) -> list[str]:
        return [end for key, end in self.applications().items() if key not in known]

    def has_sent(self, pid: int) -> bool:
        """Whether a producer has noted records that it is about to send, or has sent."""
        return any(file.stat().st_size for file in self.cluster.ledger.glob(f"*-{pid}-*.jsonl"))


@pytest.fixture(scope="module")
def ground(cluster: Settings, millrace: Any, services: Any, query: Query) -> Fire:
    """One run of the whole pipeline, to its end."""
    airflow = Airflow(cluster)
    printed = millrace("run", DAG, "--follow", timeout=1500).stdout
    run_id = printed.splitlines()[0].removeprefix(f"{DAG}: ")
    return Fire(cluster, airflow, services, query, millrace, run_id)


@pytest.fixture
def fire(ground: Fire) -> Iterator[Fire]:
    """The run; whatever a test has frozen thaws again."""
    yield ground
    ground.thaw()


def test_what_a_killed_scheduler_had_enqueued_is_done_once(fire: Fire) -> None:
    """Its workers outlive it, and take the old order when the new scheduler's are at work."""
    before = fire.records()
    workers = fire.workers()
    assert len(workers) == 4, workers
    fire.freeze(workers)
    fire.clear(PUBLISH)
    until(lambda: fire.task(PUBLISH).state == "queued", 120, "it is enqueued")
    old = fire.services.identity("airflow-scheduler")
    fire.services.kill("airflow-scheduler")
    until(
        lambda: fire.services.identity("airflow-scheduler") not in (old, "None"), 120, "it is back"
    )
    until(lambda: fire.command("publish-sample --once"), RETRIED_WITHIN_S, "another worker begins")
    fire.thaw()
    fire.succeeded(PUBLISH)
    assert fire.since(before, fire.records()) == fire.sample()


def test_a_frozen_publisher_that_thaws_has_published_once(fire: Fire) -> None:
    """The producer and its worker are stopped while records are under way, past the heartbeat."""
    before = fire.records()
    first = fire.clear(PUBLISH)
    command = until(lambda: fire.command("publish-sample --once"), 300, "it is running")
    until(lambda: fire.has_sent(command.pid), 120, "records are under way")
    victims = [*reversed(fire.above(command)), command]
    fire.freeze(victims)
    until(lambda: fire.task(PUBLISH).try_number > first + 1, RETRIED_WITHIN_S, "it is tried again")
    fire.succeeded(PUBLISH)
    runner = victims[1]
    fire.thaw()
    until(lambda: not runner.is_running(), 120, "the thawed task is told to end")
    assert fire.since(before, fire.records()) == fire.sample()


def test_a_frozen_submission_makes_one_application_and_one_merge(fire: Fire) -> None:
    applications, snapshots = fire.applications(), fire.snapshots()
    first = fire.clear(BUILD)
    command = until(lambda: fire.command("build_processed.py"), 300, "it is being submitted")
    victims = [*reversed(fire.above(command)), command]
    fire.freeze(victims)
    until(lambda: fire.task(BUILD).try_number > first + 1, RETRIED_WITHIN_S, "it is tried again")
    until(lambda: len(fire.applications()) > len(applications), 300, "it is submitted")
    runner = victims[1]
    fire.thaw()
    until(lambda: not runner.is_running(), 120, "the thawed task is told to end")
    fire.succeeded(BUILD)
    assert fire.ends_of_others(applications) == ["SUCCEEDED"]
    # The records of the two tests before are new to the tables.
    assert fire.since(snapshots, fire.snapshots()) == dict.fromkeys(PROCESSED, 1)


def test_a_killed_triggerer_goes_on_following_the_same_application(fire: Fire) -> None:
    applications = fire.applications()
    fire.clear(BUILD)
    until(lambda: fire.task(BUILD).state == "deferred", 300, "the triggerer follows it")
    until(lambda: len(fire.applications()) > len(applications), 60, "YARN has it")
    old = fire.services.identity("airflow-triggerer")
    fire.services.kill("airflow-triggerer")
    fire.succeeded(BUILD)
    assert fire.services.identity("airflow-triggerer") != old
    assert fire.ends_of_others(applications) == ["SUCCEEDED"]
