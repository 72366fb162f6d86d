"""A violation in processed stops the pipeline before the marts, and somebody is told."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import urlparse

import pytest

from millrace.cli.docker_tests import LABEL
from millrace.cluster.docker.containers import containers
from millrace.cluster.docker.engine import ask
from millrace.cluster.docker.project import Project
from millrace.demo.counts import MARTS
from millrace.orchestration.client import Airflow
from millrace.orchestration.follow import Run, failure, follow
from millrace.settings import Settings

Query = Callable[[str], list[list[Any]]]


Received = Callable[[], list[dict[str, Any]]]
PIPELINE, GATE = "enterprise_data_pipeline", "data_storage.check_processed"
#: Takes what is posted and prints it, one line each; in a container that has Python alone.
RECEIVER = """
import http.server
class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        print(body.decode(), flush=True)
        self.send_response(204)
        self.end_headers()
    def log_message(self, *_):
        pass
http.server.HTTPServer(("", {port}), Receiver).serve_forever()
"""


@pytest.fixture
def notifications(cluster: Settings) -> Iterator[Received]:
    """What is posted to the address that Airflow was given, by a real HTTP server."""
    address = urlparse(cluster.notify.url)
    assert address.hostname and address.port, "the test cluster was given no address to notify"
    in_docker = os.environ.get("RUNTIME") == "docker"
    receiver = container_receives if in_docker else this_process_receives
    with receiver(cluster, address.hostname, address.port) as received:
        yield received


@contextmanager
def this_process_receives(cluster: Settings, host: str, port: int) -> Iterator[Received]:
    """A server in this process, which the native Airflow reaches."""
    received: list[dict[str, Any]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(json.loads(body))
            self.send_response(204)
            self.end_headers()

    server = HTTPServer((host, port), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield lambda: received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def container_receives(cluster: Settings, host: str, port: int) -> Iterator[Received]:
    """A server in the network of the containers, which do not reach this process."""
    scheduler = containers(Project(cluster).name)["airflow-scheduler"].document
    (network,) = scheduler["NetworkSettings"]["Networks"]
    started = ask(
        *("run", "--detach", "--init", "--network", network, "--network-alias", host),
        *("--label", f"{LABEL}=receiver", "--read-only", scheduler["Config"]["Image"]),
        *("python3", "-c", RECEIVER.format(port=port)),
    ).strip()
    try:
        yield lambda: [json.loads(line) for line in ask("logs", started).splitlines()]
    finally:
        ask("rm", "--force", started)


def snapshots(query: Query) -> dict[str, int]:
    """The current snapshot of every mart."""
    selects = [
        f"select '{mart}', max_by(snapshot_id, committed_at) from marts.\"{mart}$snapshots\""
        for mart in MARTS
    ]
    found = dict(query(" union all ".join(selects)))
    assert None not in found.values()
    return found


@pytest.fixture
def succeeded(cluster: Settings, millrace: Any) -> Run:
    """The newest run of the pipeline that succeeded: the demo's; this file's where it is alone."""
    airflow = Airflow(cluster)
    path = f"dags/{PIPELINE}/dagRuns?state=success&order_by=-start_date&limit=1"
    if not airflow._json("GET", path)["dag_runs"]:
        millrace("run", PIPELINE)
    run_id = airflow._json("GET", path)["dag_runs"][0]["dag_run_id"]
    return Run(PIPELINE, run_id, airflow.page(PIPELINE, run_id))


def test_a_planted_violation_fails_the_gate_and_leaves_the_marts(
    cluster: Settings, query: Query, notifications: Received, succeeded: Run
) -> None:
    """The gate and all behind it are cleared, as a user clears them: Airflow runs them again."""
    before = snapshots(query)
    columns = [row[0] for row in query("show columns from processed.orders")]
    planted = {"order_id": "'O9999999'", "status": "'bogus'"}
    select = ", ".join(planted.get(column, column) for column in columns)
    query(f"insert into processed.orders select {select} from processed.orders limit 1")
    airflow, run = Airflow(cluster), succeeded
    ids = [task.task_id for task in airflow.tasks(PIPELINE, run.run_id)]
    behind = [each for each in ids if each.startswith("analytics.") or each == "complete"]
    assert len(behind) > len(MARTS)
    try:
        airflow.clear(PIPELINE, run.run_id, [GATE, *behind])
        follow(airflow, run, lambda run, changed: None)
        assert run.state == "failed"
        said = str(failure(airflow, run))
        assert GATE in said
        assert "order_id=O9999999" in said
        assert [task.task_id for task in run.failed] == [GATE]
        assert {run.tasks[each].state for each in behind} == {"upstream_failed"}
        assert snapshots(query) == before
        assert GATE in {entry["task_id"] for entry in notifications()}
    finally:
        query("delete from processed.orders where order_id = 'O9999999'")
