"""A change of a job, a DAG or a model is seen without building an image."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from millrace.cluster.docker.containers import Container
from millrace.cluster.docker.engine import ask
from millrace.settings import Settings

Running = Callable[[], dict[str, Container]]
Eventually = Callable[[Callable[[], bool], float, str], None]
#: The DAG processor looks for new files every minute.
SEEN_WITHIN_S = 180.0

JOB = '''"""Counts on YARN and prints the sum."""
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
total = spark.range({number}).count()
print(f"counted {{total}} rows")
spark.stop()
'''
DAG = '''"""A DAG that appears while Airflow runs."""
from airflow.sdk import DAG

with DAG("{name}", schedule=None, doc_md="{number}"):
    pass
'''
MODEL = "select {number} as answer\n"


@contextmanager
def new_file(path: Path, text: str) -> Iterator[Path]:
    """A file of the clone that is there for one test."""
    assert not path.exists()
    try:
        path.write_text(text)
        path.chmod(0o644)
        yield path
    finally:
        path.unlink()


@pytest.fixture
def images_in_use(running: Running) -> Iterator[None]:
    """The test must see its change in the containers that ran before it."""
    before = {name: each.id for name, each in running().items()}
    yield
    assert {name: each.id for name, each in running().items()} == before


@pytest.mark.usefixtures("images_in_use")
def test_a_changed_job_runs_as_it_stands(cluster: Settings) -> None:
    path = cluster.root / "spark_jobs" / "batch" / f"count_{uuid.uuid4().hex[:8]}.py"
    with new_file(path, JOB.format(number=41)):
        for number in (41, 42):
            path.write_text(JOB.format(number=number))
            done = subprocess.run(
                ["scripts/spark-submit", "--deploy-mode", "client", str(path)],
                cwd=cluster.root,
                check=False,
                capture_output=True,
                text=True,
                timeout=300,
            )
            assert done.returncode == 0, done.stderr[-3000:]
            assert f"counted {number} rows" in done.stdout


@pytest.mark.usefixtures("images_in_use")
def test_a_new_dag_appears_and_a_changed_one_follows(
    cluster: Settings, eventually: Eventually
) -> None:
    name = f"seen_{uuid.uuid4().hex[:8]}"
    path = cluster.root / "airflow" / "dags" / f"{name}.py"
    with new_file(path, DAG.format(name=name, number=41)):
        for number in ("41", "42"):
            path.write_text(DAG.format(name=name, number=number))
            eventually(
                lambda number=number: document(cluster, name) == number,
                SEEN_WITHIN_S,
                f"Airflow serves {name} with {number}",
            )


def document(cluster: Settings, dag: str) -> str:
    """The notes of a DAG, as the API gives them."""
    jwt = requests.post(
        f"{cluster.airflow.url}/auth/token",
        json={"username": "admin", "password": cluster.secret("airflow-admin-password")},
        timeout=30,
    ).json()["access_token"]
    answer = requests.get(
        f"{cluster.airflow.url}/api/v2/dags/{dag}/details",
        headers={"Authorization": f"Bearer {jwt}"},
        timeout=30,
    )
    answer.raise_for_status()
    return str(answer.json()["doc_md"])


@pytest.mark.usefixtures("images_in_use")
def test_a_changed_model_is_what_the_tasks_compile(cluster: Settings, running: Running) -> None:
    name = f"seen_{uuid.uuid4().hex[:8]}"
    path = cluster.root / "dbt_project" / "models" / "analytics" / f"{name}.sql"
    scheduler = running()["airflow-scheduler"]
    with new_file(path, MODEL.format(number=41)):
        for number in (41, 42):
            path.write_text(MODEL.format(number=number))
            compiled = ask(
                *("exec", scheduler.id, "bin/millrace", "dbt"),
                *("--quiet", "compile", "--no-introspect", "--select", name),
            )
            assert MODEL.format(number=number).strip() in compiled
