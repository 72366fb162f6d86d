"""YARN applications through the ResourceManager's REST API: find by tag, look at, kill.

An application is found by what it was submitted for, not by an id that somebody has to have kept:
each carries two tags made from the task's identity. The *task* tag is the same for every try of a
task in a run; the *generation* tag also counts how often the task was cleared. A living
application of the task is always adopted. One that has succeeded is taken for this try's own only
within its generation, because clearing a task asks for its work to be done again.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from millrace_airflow import addresses

Answer = TypeVar("Answer")

LIVING = frozenset({"NEW", "NEW_SAVING", "SUBMITTED", "ACCEPTED", "RUNNING"})
#: YARN refuses longer tags.
TAG_LENGTH = 100
#: A ResourceManager that was killed is restarted and answers again within this time.
PATIENCE_SECONDS = 120
POLL_SECONDS = 2
TIMEOUT = httpx.Timeout(10)
#: YARN lets this user kill what it submitted.
USER = {"user.name": "millrace"}
LOG_BYTES = 6_000


@dataclass(frozen=True)
class Tags:
    """The tags of one task in one run; `generation` also tells one clearing from the next."""

    task: str
    generation: str

    @classmethod
    def of(
        cls, dag_id: str, task_id: str, run_id: str, map_index: int = -1, generation: int = 0
    ) -> Tags:
        """Tags in lower case, as YARN stores them."""
        identity = "\0".join((dag_id, task_id, str(map_index), run_id))
        digest = hashlib.sha256(identity.encode()).hexdigest()[:16]
        readable = f"{dag_id}.{task_id}".lower()[: TAG_LENGTH - len(digest) - 8]
        task = f"{readable}-{digest}"
        return cls(task, f"{task}-g{generation}")


@dataclass(frozen=True)
class Application:
    """What the ResourceManager says of one application."""

    id: str
    state: str
    final_status: str
    diagnostics: str
    log_url: str
    tags: frozenset[str]

    @classmethod
    def parse(cls, document: dict[str, Any]) -> Application:
        """From the `app` object of the REST API."""
        tags = document.get("applicationTags") or ""
        return cls(
            id=document["id"],
            state=document["state"],
            final_status=document.get("finalStatus", "UNDEFINED"),
            diagnostics=(document.get("diagnostics") or "").strip(),
            log_url=document.get("amContainerLogs") or "",
            tags=frozenset(filter(None, tags.split(","))),
        )

    @property
    def is_living(self) -> bool:
        """Submitted and not at its end."""
        return self.state in LIVING

    @property
    def has_succeeded(self) -> bool:
        """Ended, and well."""
        return self.state == "FINISHED" and self.final_status == "SUCCEEDED"


def application_url(application_id: str) -> str:
    """Address of one application in the REST API."""
    return f"{addresses.resource_manager()}/ws/v1/cluster/apps/{application_id}"


def _patiently(ask: Callable[[], Answer], patience_seconds: float) -> Answer:
    """Ask again while the ResourceManager does not answer, as during its restart."""
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            return ask()
        except (httpx.TransportError, httpx.HTTPStatusError) as error:
            status = error.response.status_code if hasattr(error, "response") else 0
            if httpx.codes.is_client_error(status) or time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)


class ResourceManager:
    """The few calls that a task needs."""

    def __init__(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self.patience_seconds = patience_seconds

    def tagged(self, tag: str) -> list[Application]:
        """Every application that carries `tag`, the newest first."""
        url = f"{addresses.resource_manager()}/ws/v1/cluster/apps"

        def ask() -> list[Application]:
            answer = httpx.get(url, params={"applicationTags": tag}, timeout=TIMEOUT)
            answer.raise_for_status()
            documents = (answer.json().get("apps") or {}).get("app") or []
            found = [Application.parse(document) for document in documents]
            return sorted((app for app in found if tag in app.tags), key=_age, reverse=True)

        return _patiently(ask, self.patience_seconds)

    def find(self, tags: Tags) -> Application | None:
        """The application that already does the task's work, or has done it, if there is one."""
        applications = self.tagged(tags.task)
        for application in applications:
            if application.is_living:
                return application
        for application in applications:
            if application.has_succeeded and tags.generation in application.tags:
                return application
        return None

    def kill(self, application_id: str) -> None:
        """End an application; ending one that has ended is no error."""

        def ask() -> None:
            answer = httpx.put(
                f"{application_url(application_id)}/state",
                params=USER,
                json={"state": "KILLED"},
                timeout=TIMEOUT,
            )
            answer.raise_for_status()

        _patiently(ask, self.patience_seconds)


def _age(application: Application) -> tuple[int, int]:
    """Order of submission: the cluster's start time and the sequence number in the id."""
    _, started, sequence = application.id.split("_")
    return int(started), int(sequence)


def driver_output(log_url: str) -> str:
    """The end of what the program printed, or of the driver's log; empty where neither is left.

    `log_url` is the page `…/node/containerlogs/<container>/<user>`; the same logs are plain text
    at `…/ws/v1/node/containers/<container>/logs/<name>`. In cluster mode Python's traceback is on
    the driver's standard output.
    """
    address, _, rest = log_url.partition("/node/containerlogs/")
    logs = f"{address}/ws/v1/node/containers/{rest.split('/')[0]}/logs"
    for name in ("stdout", "stderr") if rest else ():
        try:
            answer = httpx.get(f"{logs}/{name}", params={"size": -LOG_BYTES}, timeout=TIMEOUT)
            answer.raise_for_status()
        except httpx.HTTPError:
            continue
        contents = answer.text.partition("LogContents:")[2].rpartition("End of LogType:")[0]
        if contents.strip():
            return contents.strip()
    return ""
