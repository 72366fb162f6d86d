"""Speaks to the container engine through its own client, and tells why it can not.

The client is found on PATH and honours DOCKER_HOST, DOCKER_CONFIG and its contexts. Needs the
standard library alone: `make install` asks for the engine before anything is installed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from millrace.errors import MillraceError

#: BuildKit with secrets and cache mounts; the oldest engine that was tested.
OLDEST_ENGINE = (20, 10)
#: Build secrets from the environment came with it.
OLDEST_COMPOSE = (2, 7)
_ANSWER_SECONDS = 20.0
_NATIVE = "make up RUNTIME=native"


class EngineError(MillraceError):
    """The engine, or a part of its client, is missing, closed or too old."""


@dataclass(frozen=True)
class Engine:
    """An engine that answers, with a Compose that is new enough."""

    version: str
    compose: str
    memory_mib: int
    #: Whether its containers share this machine's memory and ports.
    is_here: bool
    #: Where it keeps images, containers and volumes.
    folder: str


def call(
    *arguments: str,
    timeout: float | None = 120.0,
    data: bytes | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run `docker ARGUMENTS...`, whatever its exit code is.

    Raises:
        EngineError: there is no client, or no answer in time.
    """
    try:
        return subprocess.run(
            [client(), *arguments],
            stdin=None if data is not None else subprocess.DEVNULL,
            input=data,
            capture_output=True,
            timeout=timeout,
            env=dict(environment) if environment is not None else None,
            check=False,
        )
    except subprocess.TimeoutExpired:
        cause = f"`docker {arguments[0]}` has no answer after {timeout:.0f} s"
        raise EngineError(
            "the container engine", cause, "docker info  # then the same again"
        ) from None


def ask(*arguments: str, timeout: float | None = 120.0) -> str:
    """What `docker ARGUMENTS...` prints.

    Raises:
        EngineError: it failed.
    """
    done = call(*arguments, timeout=timeout)
    if done.returncode:
        raise explain(done.stderr.decode(errors="replace"), " ".join(arguments[:2]))
    return done.stdout.decode(errors="replace")


def client() -> str:
    """The client's path.

    Raises:
        EngineError: it is not installed.
    """
    found = shutil.which("docker")
    if not found:
        remedy = f"{_NATIVE}  # or install Docker Engine and its Compose plugin"
        raise EngineError("docker", "there is no such command on PATH", remedy)
    return found


@cache
def compose_program() -> tuple[str, ...]:
    """What runs Compose: its plugin itself, where the client says where it is.

    A signal ends the plugin; the client of Debian 12 neither ends on one nor passes it on.
    """
    said = call("info", "--format", "{{json .ClientInfo.Plugins}}", timeout=_ANSWER_SECONDS).stdout
    try:
        plugins = json.loads(said) or []
    except ValueError:
        plugins = []
    paths = [each.get("Path", "") for each in plugins if each.get("Name") == "compose"]
    found = next((path for path in paths if os.access(path, os.X_OK)), None)
    return (found,) if found else (client(), "compose")


def guarded(command: Sequence[str]) -> list[str]:
    """The command so that it ends when this process is killed: nothing goes on unwatched."""
    # The plugin ends in order on a SIGTERM; the client of Debian 12 would not end at all.
    number = "KILL" if command[0] == client() else "TERM"
    guard = ["setpriv", "--pdeathsig", number] if shutil.which("setpriv") else []
    return [*guard, *command]


def explain(said: str, command: str) -> EngineError:
    """What the client's message means, and what mends it."""
    last = said.strip().splitlines()[-1] if said.strip() else "it said nothing"
    where = os.environ.get("DOCKER_HOST") or "its default socket"
    if "permission denied" in said.lower() and "connect" in said:
        cause = f"{where} is closed to this user"
        remedy = 'sudo usermod -aG docker "$USER"  # then log in again'
        return EngineError("the container engine", cause, remedy)
    if re.search(r"Cannot connect|no such host|connection refused|dial (unix|tcp)", said, re.I):
        cause = f"nothing answers at {where}"
        remedy = f"sudo systemctl start docker  # or {_NATIVE}"
        return EngineError("the container engine", cause, remedy)
    if "no space left on device" in said:
        return EngineError("the container engine", last, "docker system df  # make room there")
    return EngineError(f"docker {command}", last[:500], "make doctor")


def find_engine(oldest_compose: tuple[int, int] = OLDEST_COMPOSE) -> Engine:
    """The engine and its Compose.

    Raises:
        EngineError: one of them is missing, closed to this user, or too old.
    """
    answer = json.loads(ask("info", "--format", "{{json .}}", timeout=_ANSWER_SECONDS))
    # Some clients end with 0 where no server answered.
    if errors := answer.get("ServerErrors"):
        raise explain("\n".join(errors), "info")
    version = str(answer.get("ServerVersion", ""))
    if _numbers(version) < OLDEST_ENGINE:
        wanted = _dotted(OLDEST_ENGINE)
        cause = f"it is version {version or 'unknown'}, {wanted} is the oldest that can run this"
        raise EngineError("the container engine", cause, f"{_NATIVE}  # or upgrade Docker")
    memory = int(answer.get("MemTotal", 0)) // 2**20
    is_here = answer.get("Name") == socket.gethostname()
    compose = _compose(oldest_compose)
    return Engine(version, compose, memory, is_here, str(answer.get("DockerRootDir", "")))


def _compose(oldest: tuple[int, int]) -> str:
    done = call("compose", "version", "--short", timeout=_ANSWER_SECONDS)
    version = done.stdout.decode(errors="replace").strip()
    if done.returncode or not version:
        remedy = f"sudo apt-get install docker-compose-plugin  # or {_NATIVE}"
        raise EngineError("Docker Compose", "`docker compose` is not installed", remedy)
    if _numbers(version) < oldest:
        cause = f"it is version {version}, the cluster needs {_dotted(oldest)} or later"
        remedy = f"sudo apt-get install docker-compose-plugin  # or {_NATIVE}"
        raise EngineError("Docker Compose", cause, remedy)
    return version


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _numbers(version: str) -> tuple[int, int]:
    found = re.match(r"v?(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)
