"""What every test shares: the repository's root, and one cluster for all that need it.

The cluster is the tests' own (`millrace test` sets its folder and ports, then stops and removes
it). A test that needs the cluster fails when it can not start; nothing is skipped.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
Millrace = Callable[..., subprocess.CompletedProcess[str]]
Query = Callable[[str], list[list[Any]]]
Eventually = Callable[[Callable[[], bool], float, str], None]


@pytest.fixture(scope="session")
def millrace() -> Millrace:
    """Run the command line as a user does; the exit code has to be `expect`, None takes any."""

    def run(
        *arguments: str,
        expect: int | None = 0,
        timeout: int = 900,
        environment: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(ROOT / "bin" / "millrace"), *arguments],
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        said = f"$ millrace {' '.join(arguments)}\n{done.stdout[-8000:]}\n{done.stderr[-8000:]}"
        print(said)  # shown by pytest where the test fails
        assert expect is None or done.returncode == expect, said
        assert "Traceback (most recent call last)" not in done.stderr, said
        return done

    return run


@pytest.fixture(scope="session")
def cluster(millrace: Millrace) -> object:
    """The settings of a running, healthy cluster whose contracts are applied."""
    # Not at the top: the DAG tests read this file in Airflow's environment, which has no millrace.
    from millrace.settings import load  # noqa: PLC0415

    settings = load()
    assert settings.home != ROOT / ".millrace", "run the tests by `make test`"
    subprocess.run(
        [str(ROOT / "bin" / "millrace"), "up"], cwd=ROOT, check=True, stdout=sys.__stderr__
    )
    millrace("apply")
    return settings


@pytest.fixture(scope="session")
def query_of() -> Callable[[Any], Query]:
    """Rows of one statement, by the Trino client, of the cluster with these settings."""

    # Not at the top, as above.
    from trino.dbapi import connect  # noqa: PLC0415

    def of(settings: Any) -> Query:
        def run(statement: str) -> list[list[Any]]:
            connection = connect(
                host=settings.trino.host, port=settings.trino.port, user="tester", catalog="iceberg"
            )
            cursor = connection.cursor()
            cursor.execute(statement)
            return [list(row) for row in cursor.fetchall()]

        return run

    return of


@pytest.fixture(scope="session")
def query(cluster: Any, query_of: Callable[[Any], Query]) -> Query:
    """The same of the tests' cluster; a restarting Trino is waited for."""
    return query_of(cluster)


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
