"""The DAGs are tested in Airflow's own environment, without a database or a cluster.

Airflow reads its settings when it is imported, so they are set here, before any test is.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
INCLUDE = str(ROOT / "airflow" / "include")

_home = tempfile.mkdtemp(prefix="millrace-dags-")
atexit.register(shutil.rmtree, _home, ignore_errors=True)
sys.path.insert(0, INCLUDE)
os.environ |= {
    "AIRFLOW_HOME": _home,
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "airflow" / "dags"),
    "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_home}/airflow.db",
    "AIRFLOW__API__BASE_URL": "http://airflow.test",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    "MILLRACE_ROOT": str(ROOT),
    "AIRFLOW_CONN_TRINO_DEFAULT": "trino://millrace@127.0.0.1:1/iceberg",
}


@dataclass
class Receiver:
    """A real HTTP server: it keeps what it is sent and answers what a test has put into it."""

    url: str = ""
    #: (method, path) -> answers, each (status, document); the last one is given for ever.
    answers: dict[tuple[str, str], list[tuple[int, Any]]] = field(default_factory=dict)
    requests: list[tuple[str, str, Any]] = field(default_factory=list)

    def answer(self, method: str, path: str, *documents: Any, status: int = 200) -> None:
        """Give these documents, one a request."""
        self.answers[method, path] = [(status, document) for document in documents]

    def bodies(self, method: str) -> list[Any]:
        """What was sent with a method, in order."""
        return [body for sent, _, body in self.requests if sent == method]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server on a free port of the loopback interface."""
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            path = self.path.partition("?")[0]
            kept.requests.append((self.command, self.path, body))
            answers = kept.answers.get((self.command, path), [(404, {})])
            status, document = answers.pop(0) if len(answers) > 1 else answers[0]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(
                document.encode() if isinstance(document, str) else json.dumps(document).encode()
            )

        do_GET = do_PUT = do_POST = _serve  # noqa: N815

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield kept
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def resource_manager(receiver: Receiver, state: Path, monkeypatch: pytest.MonkeyPatch) -> Receiver:
    """The receiver in the place of YARN's ResourceManager, and a state folder for the claims."""
    host, port = receiver.url.removeprefix("http://").split(":")
    monkeypatch.setenv("MILLRACE_RESOURCEMANAGER__HOST", host)
    monkeypatch.setenv("MILLRACE_RESOURCEMANAGER__HTTP_PORT", port)
    return receiver


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of the test's own."""
    monkeypatch.setenv("MILLRACE_HOME", str(tmp_path))
    return tmp_path


@dataclass
class Instance:
    """What an operator reads of its task instance."""

    dag_id: str = "shop"
    task_id: str = "build"
    run_id: str = "manual__2026-01-01"
    map_index: int | None = -1
    try_number: int = 1
    max_tries: int = 3
    log_url: str = "http://airflow.test/log"


@pytest.fixture
def instance() -> Instance:
    """The first try of a task."""
    return Instance()


@pytest.fixture
def recorded() -> Callable[..., dict[str, Any]]:
    """Applications as a ResourceManager described them, with the tags of the task above."""
    # Only now: the settings above have to come before Airflow.
    from millrace_airflow.yarn import Tags  # noqa: PLC0415

    tags = Tags.of(Instance.dag_id, Instance.task_id, Instance.run_id)

    def read(name: str, **changes: Any) -> dict[str, Any]:
        file = ROOT / "tests" / "data" / "yarn" / f"{name}.json"
        app: dict[str, Any] = json.loads(file.read_text())["app"]
        return app | {"applicationTags": f"{tags.task},{tags.generation}"} | changes

    return read


def finished_node(unique_id: str, status: str, message: str = "") -> str:
    """A line of dbt's event stream, as dbt 1.11 prints it."""
    return json.dumps(
        {
            "info": {
                "name": "NodeFinished",
                "level": "debug",
                "msg": f"Finished running node {unique_id}",
                "invocation_id": "one",
            },
            "data": {
                "node_info": {"unique_id": unique_id, "node_status": status},
                "run_result": {"status": status, "message": message},
            },
        }
    )


@pytest.fixture
def finished() -> Callable[..., str]:
    """Lines of dbt's event stream."""
    return finished_node


#: `a` has a test; `b` reads `a` and has a unit test; `source_test` belongs to no model.
MANIFEST = {
    "nodes": {
        "model.p.a": {"resource_type": "model"},
        "model.p.b": {"resource_type": "model", "depends_on": {"nodes": ["model.p.a"]}},
        "test.p.unique_a": {"resource_type": "test", "attached_node": "model.p.a"},
        "test.p.both": {
            "resource_type": "test",
            "depends_on": {"nodes": ["model.p.a", "model.p.b"]},
        },
        "test.p.source_test": {
            "resource_type": "test",
            "depends_on": {"nodes": ["source.p.raw.orders"]},
        },
    },
    "unit_tests": {
        "unit_test.p.b.rows": {
            "resource_type": "unit_test",
            "depends_on": {"nodes": ["model.p.b"]},
        }
    },
}


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """The manifest of a small dbt project, where the operators look for it."""
    file = tmp_path / "dbt" / "pipeline" / "manifest.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(MANIFEST))
    return file
