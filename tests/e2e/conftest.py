"""Ways to look at the lake and at the cluster's processes, shared by the end-to-end tests."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import requests
from trino.dbapi import connect

from millrace.settings import Settings

Query = Callable[[str], list[list[Any]]]
Eventually = Callable[[Callable[[], bool], float, str], None]


@pytest.fixture(scope="session")
def query(cluster: Settings) -> Query:
    """Rows of one statement, by the Trino client; a restarting Trino is waited for."""

    def run(statement: str) -> list[list[Any]]:
        connection = connect(
            host=cluster.trino.host, port=cluster.trino.port, user="tester", catalog="iceberg"
        )
        cursor = connection.cursor()
        cursor.execute(statement)
        return [list(row) for row in cursor.fetchall()]

    return run


@pytest.fixture(scope="session")
def landing_application(cluster: Settings) -> Callable[[], dict[str, Any]]:
    """The running landing application, as the ResourceManager describes it."""

    def find() -> dict[str, Any]:
        answer = requests.get(
            f"{cluster.resourcemanager.web_url}/ws/v1/cluster/apps",
            params={"states": "RUNNING,ACCEPTED", "applicationTags": "millrace-landing"},
            timeout=30,
        ).json()
        applications = (answer["apps"] or {}).get("app", [])
        assert len(applications) == 1, f"one landing application, not {len(applications)}"
        application: dict[str, Any] = applications[0]
        return application

    return find


@pytest.fixture(scope="session")
def eventually() -> Eventually:
    """Wait until a check holds; errors of a service that is starting count as not yet."""

    def wait(check: Callable[[], bool], within_s: float, what: str) -> None:
        deadline = time.monotonic() + within_s
        last: Exception | None = None
        while time.monotonic() < deadline:
            try:
                if check():
                    return
            except Exception as error:  # whatever a client raises while its service is away
                last = error
            time.sleep(0.5)
        raise AssertionError(f"not within {within_s:.0f} s: {what} (last error: {last})")

    return wait
