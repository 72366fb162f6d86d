"""What every test shares: the repository's root, and one cluster for all that need it.

The cluster is the tests' own (`millrace test` sets its folder and ports, then stops and removes
it). A test that needs the cluster fails when it can not start; nothing is skipped.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
Millrace = Callable[..., subprocess.CompletedProcess[str]]


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
