"""The landing application on YARN: found by its tag, submitted once, killed when it must be."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import requests

from millrace.cluster.choice import DOCKER, recorded
from millrace.errors import MillraceError, TransientError
from millrace.settings import Settings

TAG = "millrace-landing"
QUEUE = "streaming"
LIVE_STATES = "NEW,NEW_SAVING,SUBMITTED,ACCEPTED,RUNNING"
TIMEOUT_S = 10.0
SUBMIT_TIMEOUT_S = 300.0
SHOWN_LINES = 15

#: What a long-running application needs beside the defaults of `config/spark`.
CONFIGURATION = {
    "spark.yarn.tags": TAG,
    "spark.yarn.queue": QUEUE,
    "spark.yarn.submit.waitAppCompletion": "false",
    # A killed driver is started again in the same application, as often as it takes.
    "spark.yarn.maxAppAttempts": "50",
    "spark.yarn.am.attemptFailuresValidityInterval": "10m",
    "spark.executor.maxNumFailures": "50",
    "spark.executor.failuresValidityInterval": "10m",
    "spark.executor.instances": "1",
    "spark.dynamicAllocation.enabled": "false",
    # The logs of an endless application are endless.
    "spark.eventLog.enabled": "false",
    "spark.log.level": "WARN",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "5000",
    # Idle batches and old entries of the throw-away checkpoint are not worth keeping.
    "spark.sql.streaming.minBatchesToRetain": "2",
    "spark.sql.streaming.numRecentProgressUpdates": "5",
}

#: Services that the driver and its executors dial.
DIALLED = ("kafka", "registry", "namenode", "datanode", "metastore", "objectstore")


@dataclass(frozen=True)
class Application:
    """One application that is waiting or running."""

    id: str
    state: str
    started_ms: int


class Yarn:
    """The ResourceManager's REST API."""

    def __init__(self, settings: Settings) -> None:
        self._url = f"{settings.resourcemanager.web_url}/ws/v1/cluster"

    def landing(self) -> list[Application]:
        """The live landing applications, oldest first: one, or none, unless two raced.

        Raises:
            TransientError: the ResourceManager does not answer.
        """
        answer = self._call("GET", "apps", {"applicationTags": TAG, "states": LIVE_STATES})
        apps: list[dict[str, Any]] = (answer.get("apps") or {}).get("app") or []
        found = [Application(each["id"], each["state"], each["startedTime"]) for each in apps]
        return sorted(found, key=lambda each: (each.started_ms, each.id))

    def kill(self, application: Application) -> None:
        """End an application at once; what it was landing is landed by the next one."""
        self._call("PUT", f"apps/{application.id}/state", {}, {"state": "KILLED"})

    def _call(
        self, method: str, path: str, query: dict[str, str], body: dict[str, str] | None = None
    ) -> dict[str, Any]:
        query = {**query, "user.name": "millrace"}
        try:
            answer = requests.request(
                method, f"{self._url}/{path}", params=query, json=body, timeout=TIMEOUT_S
            )
            answer.raise_for_status()
            return dict(answer.json())
        except (requests.RequestException, ValueError) as error:
            cause = f"it does not answer: {error}"
            raise TransientError("the ResourceManager", cause, "make status") from error


def submit(settings: Settings, environment: Mapping[str, str] | None = None) -> None:
    """Submit the landing application; returns when YARN has it.

    Args:
        settings: of the cluster.
        environment: addresses that the application is to dial; the caller's own where none given.

    Raises:
        MillraceError: it was refused.
    """
    landing = settings.landing
    command = [
        str(settings.root / "scripts" / "spark-submit"),
        "--deploy-mode",
        "cluster",
        "--name",
        "millrace-landing",
        "--conf",
        f"spark.driver.memory={landing.driver_memory}",
        "--conf",
        f"spark.executor.memory={landing.executor_memory}",
        "--conf",
        f"spark.executor.cores={landing.executor_cores}",
        *_options(CONFIGURATION),
        *_options(addresses(settings, os.environ if environment is None else environment)),
        str(settings.root / "spark_jobs" / "streaming" / "kafka_to_hdfs_streaming.py"),
        "--trigger-seconds",
        str(landing.trigger_seconds),
        "--max-offsets",
        str(landing.max_offsets),
        "--patience-seconds",
        str(landing.patience_seconds),
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=SUBMIT_TIMEOUT_S, check=False
    )
    if done.returncode:
        last = "\n".join(done.stderr.splitlines()[-SHOWN_LINES:])
        raise MillraceError("the landing application", f"YARN refused it:\n{last}", "make doctor")


def addresses(settings: Settings, environment: Mapping[str, str]) -> dict[str, str]:
    """Spark's settings that give the application the addresses its starter was given.

    Who is given none leaves them to the cluster's own environment. Among containers they always
    are the cluster's: what a user's shell dials is published to the user alone.
    """
    if recorded(settings.home) == DOCKER:
        return {}
    names = [
        name
        for name in sorted(environment)
        if name.startswith(tuple(f"MILLRACE_{each.upper()}__" for each in DIALLED))
    ]
    return {
        f"{process}.{name}": environment[name]
        for name in names
        for process in ("spark.yarn.appMasterEnv", "spark.executorEnv")
    }


def _options(configuration: Mapping[str, str]) -> Sequence[str]:
    return [part for name, value in configuration.items() for part in ("--conf", f"{name}={value}")]
