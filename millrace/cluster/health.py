"""Asks the services themselves whether they are healthy, by the probes of the compose file.

The supervisor remembers the last answer of a process that has died since; here nothing is
remembered.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable

from millrace.cluster.compose import read_compose
from millrace.cluster.process_file import probe_command
from millrace.environment import cluster_environment
from millrace.settings import Settings

_TIMEOUT_SECONDS = 9


def ask(settings: Settings, services: Iterable[str]) -> dict[str, bool]:
    """Run the probe of each service once, all at the same time; one-shots have none."""
    variables = cluster_environment(settings)
    known = read_compose(settings.root / "docker-compose.yml", variables)["services"]
    running = {
        name: subprocess.Popen(
            ["bash", "-c", probe_command(known[name]["healthcheck"])],  # noqa: S607
            cwd=settings.root,
            env={**os.environ, **variables, "MILLRACE_PROBE_PATIENCE": "0"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for name in services
        if "healthcheck" in known.get(name, {})
    }
    return {name: _succeeds(process) for name, process in running.items()}


def _succeeds(process: subprocess.Popen[bytes]) -> bool:
    try:
        return process.wait(_TIMEOUT_SECONDS) == 0
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False
