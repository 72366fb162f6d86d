"""`millrace run` against a server that answers as Airflow's API does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import millrace.cli.airflow as command
from millrace.errors import MillraceError, TransientError
from millrace.orchestration import client, follow
from millrace.settings import Settings

DAG = "/api/v2/dags/shop"
RUNS = f"{DAG}/dagRuns"
RUN = f"{RUNS}/manual__1%2B00"


def task(task_id: str, state: str | None, seconds: float | None = None) -> dict[str, Any]:
    """A task instance as the API gives it."""
    return {
        "task_id": task_id,
        "state": state,
        "try_number": 1,
        "map_index": -1,
        "duration": seconds,
        "operator": "MillraceOperator",
    }


class Server:
    """Answers by (method, path); several answers are given one after another."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], list[tuple[int, Any]]] = {}
        self.bodies: list[tuple[str, str, Any]] = []
        self.answer("POST", "/auth/token", {"access_token": "jwt"}, status=201)
        self.answer("PATCH", DAG, {})
        self.answer("POST", f"{DAG}/dagRuns", {"dag_run_id": "manual__1+00"})

    def answer(self, method: str, path: str, *documents: Any, status: int = 200) -> None:
        """Give these documents, the last one for ever."""
        self.answers[method, path] = [(status, document) for document in documents]


def posted(server: Server) -> list[Any]:
    """The bodies of the requests that start a run."""
    return [body for method, path, body in server.bodies if (method, path) == ("POST", RUNS)]


@pytest.fixture
def airflow() -> Iterator[tuple[Server, str]]:
    """A server, and its port."""
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            path = self.path.partition("?")[0]
            server.bodies.append((self.command, path, body))
            known = server.answers.get((self.command, path), [(404, {"detail": "not found"})])
            status, document = known.pop(0) if len(known) > 1 else known[0]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        do_GET = do_POST = do_PATCH = _serve  # noqa: N815

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server, str(http.server_port)
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture
def settings(
    airflow: tuple[Server, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """Settings that name the server; nothing waits long."""
    monkeypatch.setenv("MILLRACE_AIRFLOW__PORT", airflow[1])
    monkeypatch.setenv("MILLRACE_HOME", str(tmp_path))
    monkeypatch.setattr(follow, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(client, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(client.Airflow.__init__, "__defaults__", (0.2,))
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "airflow-admin-password").write_text("secret")
    loaded = Settings()
    monkeypatch.setattr(command, "load", lambda: loaded)
    return loaded


def test_a_run_is_followed_and_every_change_is_told(
    airflow: tuple[Server, str], settings: Settings
) -> None:
    server, _ = airflow
    server.answer("GET", RUN, {"state": "running"}, {"state": "running"}, {"state": "success"})
    steps = [
        {"task_instances": [task("a.first", "running"), task("complete", None)]},
        {"task_instances": [task("a.first", "success", 2.0), task("complete", None)]},
        {"task_instances": [task("a.first", "success", 2.0), task("complete", "success", 0.1)]},
    ]
    server.answer("GET", f"{RUN}/taskInstances", *steps)
    done = CliRunner().invoke(command.run, ["shop", "--conf", '{"generate": false}'])
    assert done.exit_code == 0, done.output
    told = [line.split("s  ", 1)[1].split() for line in done.output.splitlines()[2:-1]]
    assert told == [
        ["running", "a.first"],
        ["success", "a.first", "2.0", "s"],
        ["success", "complete", "0.1", "s"],
    ]
    (trigger,) = posted(server)
    assert trigger.pop("dag_run_id").startswith("manual__")
    assert trigger == {"logical_date": None, "conf": {"generate": False}}
    assert ("PATCH", DAG, {"is_paused": False}) in server.bodies


@pytest.mark.parametrize("last", [(200, {"dag_run_id": "manual__1+00"}), (409, {})])
def test_a_trigger_that_is_asked_again_asks_for_the_same_run(
    airflow: tuple[Server, str], settings: Settings, last: tuple[int, Any]
) -> None:
    server, _ = airflow
    server.answers["POST", f"{DAG}/dagRuns"] = [(503, {}), last]
    run_id = client.Airflow(settings).trigger("shop", {})
    first, second = posted(server)
    assert first == second
    # 409: the first request, whose answer was lost, had started the run.
    assert run_id == last[1].get("dag_run_id", first["dag_run_id"])


def test_a_failed_run_names_the_task_and_ends_with_its_log(
    airflow: tuple[Server, str], settings: Settings
) -> None:
    server, _ = airflow
    server.answer("GET", RUN, {"state": "failed"})
    instances = [task("gate", "failed"), task("marts", "upstream_failed")]
    server.answer("GET", f"{RUN}/taskInstances", {"task_instances": instances})
    log = [
        {"event": "::group::Pre Execute"},
        {"event": "5 orders have no customer"},
        {
            "event": "Task failed with exception",
            "error_detail": [{"exc_type": "AirflowException", "exc_value": "check failed"}],
        },
    ]
    server.answer("GET", f"{RUN}/taskInstances/gate/logs/1", {"content": log})
    with pytest.raises(MillraceError) as error:
        follow.run_dag(settings, "shop")
    assert error.value.thing == "task gate of shop"
    assert "5 orders have no customer" in error.value.cause
    assert "AirflowException: check failed" in error.value.cause
    assert "marts" not in error.value.cause
    assert "::group::" not in error.value.cause
    assert "bin/millrace run shop" in error.value.remedy


def test_an_unknown_dag_is_refused_with_those_that_there_are(
    airflow: tuple[Server, str], settings: Settings
) -> None:
    airflow[0].answer("PATCH", DAG, {"detail": "no such DAG"}, status=404)
    airflow[0].answer("GET", "/api/v2/dags", {"dags": [{"dag_id": "lake_landing"}]})
    with pytest.raises(MillraceError, match="DAG shop: Airflow has lake_landing"):
        follow.run_dag(settings, "shop")


def test_a_server_that_is_away_names_the_remedy(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings.airflow, "port", 1)
    with pytest.raises(TransientError, match="no answer"):
        follow.run_dag(settings, "shop")


def test_a_server_that_starts_or_forgot_the_token_is_asked_again(
    airflow: tuple[Server, str], settings: Settings
) -> None:
    server, _ = airflow
    server.answers["GET", RUN] = [(503, {}), (401, {}), (200, {"state": "success"})]
    server.answer("GET", f"{RUN}/taskInstances", {"task_instances": []})
    assert follow.run_dag(settings, "shop").state == "success"
    logins = [path for _, path, _ in server.bodies if path == "/auth/token"]
    assert len(logins) == 2


def test_anothers_airflow_is_recognised(airflow: tuple[Server, str], settings: Settings) -> None:
    airflow[0].answer("POST", "/auth/token", {"detail": "Invalid credentials"}, status=401)
    with pytest.raises(MillraceError, match="does not accept this cluster's password"):
        follow.run_dag(settings, "shop")


@pytest.mark.parametrize("conf", ["{", "[1]", "yes"])
def test_parameters_that_are_no_object_are_refused(conf: str) -> None:
    with pytest.raises(MillraceError, match="is not a JSON object"):
        command.parameters(conf)


def test_the_table_folds_the_groups_that_are_done() -> None:
    run = follow.Run("shop", "manual__1", "http://airflow.test", "running", 3.0)
    documents = [task("a.first", "success", 1.0), task("b.second", "running")]
    run.tasks = {one["task_id"]: client.Task.parse(one) for one in documents}
    console = command.Console(width=80, record=True)
    with console.capture() as capture:
        console.print(command.table(run))
    assert "second" in capture.get()
    assert "first" not in capture.get()
