"""The few calls of Airflow's REST API (v2) that following a run needs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import requests

from millrace.errors import MillraceError, TransientError
from millrace.settings import Settings

TIMEOUT_SECONDS = 30
#: A killed API server is back within this time; the DAG processor's first look takes as long.
PATIENCE_SECONDS = 90
RETRY_SECONDS = 1.0
UNAUTHORIZED, NOT_FOUND, CONFLICT, SERVER_ERROR = 401, 404, 409, 500


@dataclass(frozen=True)
class Task:
    """One task instance as the API describes it; `state` is None until it is scheduled."""

    task_id: str
    state: str | None
    try_number: int
    map_index: int
    seconds: float | None
    operator: str

    @property
    def name(self) -> str:
        """The task id; an index behind it where the task is mapped."""
        return self.task_id if self.map_index < 0 else f"{self.task_id}[{self.map_index}]"

    @classmethod
    def parse(cls, document: dict[str, Any]) -> Task:
        """From one element of `task_instances`."""
        seconds = document["duration"]
        return cls(
            task_id=document["task_id"],
            state=document["state"],
            try_number=document["try_number"],
            map_index=document["map_index"],
            # Airflow keeps the old end of a cleared task that ends in the triggerer.
            seconds=seconds if seconds is None or seconds >= 0 else None,
            operator=document.get("operator") or "",
        )


class Airflow:
    """Airflow's API as the admin of this cluster.

    A server that is down or busy is asked again for `patience_seconds`, so that a restart in the
    middle of a run is no failure of the run.
    """

    def __init__(self, settings: Settings, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self.settings = settings
        self.url = settings.airflow.url
        self.patience_seconds = patience_seconds
        self._session = requests.Session()

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler run a DAG.

        Raises:
            MillraceError: Airflow has no such DAG, also after the processor has had its time.
        """
        answer = self._call("PATCH", f"dags/{dag_id}", {"is_paused": False}, wait_until_found=True)
        if answer.status_code == NOT_FOUND:
            known = [dag["dag_id"] for dag in self._json("GET", "dags?limit=100")["dags"]]
            raise MillraceError(
                f"DAG {dag_id}",
                f"Airflow has {', '.join(sorted(known)) or 'no DAG at all'}",
                "bin/millrace logs airflow-dag-processor",
            )

    def trigger(self, dag_id: str, conf: dict[str, Any]) -> str:
        """Start a run. Returns its id."""
        # The id is ours, so that asking again after a lost answer can not start a second run.
        run_id = f"manual__{datetime.now(UTC).isoformat()}"
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
        path = f"dags/{dag_id}/dagRuns"
        answer = self._call("POST", path, body)
        if answer.status_code == CONFLICT:
            return run_id
        return str(self._document("POST", path, answer)["dag_run_id"])

    def state(self, dag_id: str, run_id: str) -> str:
        """The state of a run: queued, running, success, failed."""
        return str(self._json("GET", _run(dag_id, run_id))["state"])

    def tasks(self, dag_id: str, run_id: str) -> list[Task]:
        """Every task instance of a run."""
        answer = self._json("GET", f"{_run(dag_id, run_id)}/taskInstances?limit=1000")
        return [Task.parse(document) for document in answer["task_instances"]]

    def clear(self, dag_id: str, run_id: str, task_ids: list[str]) -> None:
        """Ask for the work of these tasks once more, and of no other."""
        body = {
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": task_ids,
            "only_failed": False,
            "reset_dag_runs": True,
        }
        self._json("POST", f"dags/{dag_id}/clearTaskInstances", body)

    def last_lines(self, dag_id: str, run_id: str, task: Task, count: int = 15) -> list[str]:
        """The end of a task's log, without what Airflow itself says in it."""
        path = f"{_run(dag_id, run_id)}/taskInstances/{quote(task.task_id, safe='')}"
        path += f"/logs/{task.try_number}?map_index={task.map_index}&full_content=true"
        content = self._json("GET", path).get("content") or []
        events = (entry if isinstance(entry, str) else _line(entry) for entry in content)
        lines = [line for event in events for line in event.splitlines() if line.strip()]
        return lines[-count:]

    def page(self, dag_id: str, run_id: str) -> str:
        """The web page of a run."""
        return f"{self.url}/{_run(dag_id, run_id)}".replace("/dagRuns/", "/runs/")

    def _json(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        return self._document(method, path, self._call(method, path, body))

    def _document(self, method: str, path: str, answer: requests.Response) -> dict[str, Any]:
        if not answer.ok:
            raise MillraceError(
                f"Airflow's API at {self.url}",
                f"{method} {path} was answered {answer.status_code}: {answer.text[:300]}",
                "bin/millrace logs airflow-apiserver",
            )
        document: dict[str, Any] = answer.json()
        return document

    def _call(
        self, method: str, path: str, body: Any = None, wait_until_found: bool = False
    ) -> requests.Response:
        """One call; again while the server is away, or where the path is soon to be there."""

        def call() -> requests.Response:
            if "Authorization" not in self._session.headers:
                self._log_in()
            return self._session.request(
                method, f"{self.url}/api/v2/{path}", json=body, timeout=TIMEOUT_SECONDS
            )

        again = {NOT_FOUND} if wait_until_found else set()
        return self._patiently(call, again)

    def _patiently(
        self, call: Callable[[], requests.Response], again: set[int]
    ) -> requests.Response:
        deadline = time.monotonic() + self.patience_seconds
        while True:
            try:
                answer = call()
            except (requests.ConnectionError, requests.Timeout) as error:
                if time.monotonic() > deadline:
                    raise self._away(error) from None
            else:
                status = answer.status_code
                if status == UNAUTHORIZED:
                    # A token lives for a day, a server's key as long as its secrets.
                    self._session.headers.pop("Authorization", None)
                passing = status >= SERVER_ERROR or status == UNAUTHORIZED or status in again
                if not passing or time.monotonic() > deadline:
                    return answer
            time.sleep(RETRY_SECONDS)

    def _log_in(self) -> None:
        password = self.settings.secret("airflow-admin-password")
        answer = self._session.post(
            f"{self.url}/auth/token",
            json={"username": "admin", "password": password},
            timeout=TIMEOUT_SECONDS,
        )
        if answer.status_code == UNAUTHORIZED:
            raise MillraceError(
                f"Airflow at {self.url}",
                "it does not accept this cluster's password, so it is another one's",
                "bin/millrace status",
            )
        if answer.ok:
            self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def _away(self, error: Exception) -> TransientError:
        reason = type(error).__name__
        return TransientError(f"Airflow at {self.url}", f"no answer ({reason})", "make up")


def _run(dag_id: str, run_id: str) -> str:
    return f"dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"


def _line(entry: dict[str, Any]) -> str:
    """One structured line of a task's log; the error's own text where there is one."""
    details = entry.get("error_detail") or []
    values = [f"{detail['exc_type']}: {detail['exc_value']}" for detail in details]
    event = str(entry.get("event", ""))
    return "" if event.startswith("::") else "\n".join([event, *values])
