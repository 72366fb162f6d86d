"""Compose takes every combination of our files, and the committed file alone."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from itertools import chain, combinations
from pathlib import Path

import pytest

from millrace.cluster.docker.engine import client
from millrace.cluster.docker.project import OVERLAYS, PROFILES, Project

ROOT = Path(__file__).resolve().parents[2]


def subsets(names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    return chain.from_iterable(combinations(names, count) for count in range(len(names) + 1))


@pytest.mark.parametrize("profiles", list(subsets(PROFILES)), ids="+".join)
@pytest.mark.parametrize("overlays", [(), *((name,) for name in OVERLAYS)], ids="+".join)
def test_every_profile_with_every_overlay_is_valid(
    project: Project,
    profiles: tuple[str, ...],
    overlays: tuple[str, ...],
    tmp_path: Path,
) -> None:
    given = tmp_path / "given"
    given.write_text("of a test\n")
    needed = {
        "MILLRACE_STARBURST__IMAGE": "starburst:1",
        "MILLRACE_STARBURST__LICENSE": str(given),
        "MILLRACE_IMPALA__CREDENTIALS": str(given),
    }
    done = subprocess.run(
        Project(project.settings, overlays).command("config", "--services", profiles=profiles),
        env={**project.environment(), **needed},
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    services = set(done.stdout.split())
    assert ("datanode-3" in services) == ("scale" in profiles)
    # A worker of Trino's would not fit a coordinator of another product's.
    has_workers = "scale" in profiles and "starburst" not in overlays
    assert ("trino-worker" in services) == has_workers


def test_the_committed_file_needs_no_setting() -> None:
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME") or k[:7] == "DOCKER_"}
    done = subprocess.run(
        [client(), "compose", "config", "--services"],
        cwd=ROOT,
        env=kept,
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert {"kafka", "trino", "airflow-scheduler", "secrets"} <= set(done.stdout.split())
