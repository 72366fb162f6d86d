"""Derives the supervisor's process file from the compose file.

A pure function from the compose document and the environment of the cluster to the document that
process-compose reads. Commands, probes, dependencies and settings are those of the compose file;
only `x-millrace` and the cluster's own environment (hosts, ports, folders) differ.
"""

from __future__ import annotations

import re
import shlex
import signal
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from millrace.cluster.compose import active_services, is_one_shot
from millrace.errors import MillraceError

_CONDITIONS = {
    "service_started": "process_started",
    "service_healthy": "process_healthy",
    "service_completed_successfully": "process_completed_successfully",
}
_SECONDS = {"s": 1, "m": 60, "h": 3600}


def process_file(
    compose: Mapping[str, Any],
    cluster: Mapping[str, str],
    profiles: Collection[str] = (),
) -> dict[str, Any]:
    """The process-compose document of the active services.

    Args:
        compose: the interpolated compose document.
        cluster: the variables of `millrace.environment.cluster_environment`.
        profiles: further profiles to start.
    """
    native = compose.get("x-millrace", {}).get("environment", {})
    services = active_services(compose, profiles)
    _refuse_what_only_docker_has(services)
    return {
        "version": "0.5",
        "is_strict": True,
        "log_level": "info",
        "log_location": f"{cluster['MILLRACE_HOME']}/logs/supervisor.log",
        "ordered_shutdown": True,
        "disable_env_expansion": True,
        "processes": {
            name: _process(name, service, {**native, **cluster})
            for name, service in services.items()
        },
    }


def _refuse_what_only_docker_has(services: Mapping[str, Mapping[str, Any]]) -> None:
    for name, service in services.items():
        if service.get("x-millrace", {}).get("runtime") == "docker":
            profile = service["profiles"][0]
            cause = f"{name} runs in Docker only: natively it would share its one host"
            raise MillraceError(
                f"profile {profile}", cause, f"make up RUNTIME=docker PROFILE={profile}"
            )


def _process(name: str, service: Mapping[str, Any], native: Mapping[str, str]) -> dict[str, Any]:
    own = service.get("x-millrace", {})
    log = Path(native["MILLRACE_HOME"]) / "logs" / f"{name}.log"
    environment = {
        **service.get("environment", {}),
        **native,
        **own.get("environment", {}),
        "MILLRACE_SUPERVISED": "1",
    }
    process: dict[str, Any] = {
        "command": f"exec {shlex.join(service['command'])}",
        "working_dir": native["MILLRACE_ROOT"],
        "depends_on": {
            other: {"condition": _CONDITIONS[dependency["condition"]]}
            for other, dependency in service.get("depends_on", {}).items()
        },
        "availability": _availability(service),
        "shutdown": {
            "signal": int(signal.Signals[service.get("stop_signal", "SIGTERM")]),
            "timeout_seconds": seconds(service.get("stop_grace_period", "10s")),
        },
    }
    if own.get("log") == "file":
        environment["MILLRACE_LOG_FILE"] = str(log)
    else:
        process["log_location"] = str(log)
        process["log_configuration"] = {
            "no_metadata": True,
            "disable_json": True,
            "fields_order": ["message"],
            "no_color": True,
            "flush_each_line": True,
            "rotation": {"max_size_mb": 16, "max_backups": 2, "max_age_days": 14},
        }
    process["environment"] = [f"{key}={value}" for key, value in sorted(environment.items())]
    if "healthcheck" in service:
        process["readiness_probe"] = _probe(service["healthcheck"], native["MILLRACE_ROOT"])
    return process


def _availability(service: Mapping[str, Any]) -> dict[str, Any]:
    if is_one_shot(service):
        policy, _, retries = service.get("restart", "no").partition(":")
        restart = policy.replace("-", "_")
        return {"restart": restart, "backoff_seconds": 1, "max_restarts": int(retries or 0)}
    return {"restart": "always", "backoff_seconds": 2}


def _probe(check: Mapping[str, Any], root: str) -> dict[str, Any]:
    # The supervisor knows no period of grace: a start may fail that many probes more.
    grace = seconds(check.get("start_period", "0s")) // seconds(check["interval"])
    return {
        "exec": {"command": probe_command(check), "working_dir": root},
        "period_seconds": seconds(check["interval"]),
        "timeout_seconds": seconds(check["timeout"]),
        "failure_threshold": grace + check["retries"],
    }


def probe_command(check: Mapping[str, Any]) -> str:
    """The shell command of a Compose health check."""
    form, *words = check["test"]
    return str(words[0]) if form == "CMD-SHELL" else shlex.join(words)


def seconds(duration: str) -> int:
    """A Compose duration such as `10s` or `1m30s` in seconds."""
    return sum(int(n) * _SECONDS[unit] for n, unit in re.findall(r"(\d+)([smh])", duration))
