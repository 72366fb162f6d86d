"""The Compose project of a cluster: its name, its files, its environment."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from millrace.cluster.docker.engine import (
    OLDEST_COMPOSE,
    EngineError,
    compose_program,
    explain,
    guarded,
)
from millrace.environment import cluster_environment
from millrace.errors import MillraceError
from millrace.settings import Settings

#: overlay -> its compose file, below the repository
OVERLAYS = {name: f"docker/compose.{name}.yml" for name in ("mysql", "starburst", "impala")}
#: overlay -> the oldest Compose that reads its file, where the cluster itself takes an older one
_COMPOSE = {"starburst": (2, 24)}
#: What the compose file starts on demand only.
PROFILES = ("history", "scale")
_BUILD_NAME = "millrace"
#: Where the last `up` says which overlays it took.
_FILE = "overlays"
#: In a container these are of its own network and its own file system.
_NATIVE_ONLY = re.compile(r"MILLRACE_(\w+__HOST|ROOT|HOME|DIST|CONFIG|SECRETS|CLUSTER|BIND)")
#: The longest grace period of a service, and one more for each that depends on it.
_TIMEOUT_SECONDS = 300.0


class _Loader(yaml.SafeLoader):
    """Reads `!reset` and `!override`, which are Compose's own."""


_Loader.add_multi_constructor("!", lambda *_: None)


@dataclass(frozen=True)
class Project:
    """One cluster's project, with the overlays it is started with."""

    settings: Settings
    overlays: tuple[str, ...] = ()
    build_name: str = ""

    @property
    def name(self) -> str:
        """`millrace` for the default state folder, else made from the folder's name."""
        if self.build_name:
            return self.build_name
        folder = re.sub(r"[^a-z0-9_-]", "", self.settings.home.name.lower()).strip("-_")
        return folder if folder.startswith("millrace") else f"millrace-{folder}".rstrip("-")

    @property
    def files(self) -> list[Path]:
        """The compose file and those of the overlays."""
        root = self.settings.root
        return [root / "docker-compose.yml", *(root / OVERLAYS[name] for name in self.overlays)]

    @property
    def oldest_compose(self) -> tuple[int, int]:
        """The oldest version that reads all the files."""
        own = [_COMPOSE[overlay] for overlay in self.overlays if overlay in _COMPOSE]
        return max([OLDEST_COMPOSE, *own])

    def environment(self) -> dict[str, str]:
        """What Compose reads: ports, sizes, the folder of contracts; no host, no folder of ours."""
        variables = {**os.environ, **cluster_environment(self.settings)}
        own = {name: value for name, value in variables.items() if not _NATIVE_ONLY.match(name)}
        # A list of COMPOSE_FILE or a profile of the user's shell would be another cluster.
        ours = {"COMPOSE_FILE", "COMPOSE_PROFILES", "COMPOSE_PROJECT_NAME"}
        return {name: value for name, value in own.items() if name not in ours}

    def command(self, *arguments: str, profiles: Iterable[str] = ()) -> list[str]:
        """`docker compose ARGUMENTS...` on this project."""
        # A file `.env` of the clone would be half of the settings: it knows none of `make`'s.
        words = [*compose_program(), "--project-name", self.name, "--env-file", os.devnull]
        words += ["--project-directory", str(self.settings.root)]
        for file in self.files:
            words += ["--file", str(file)]
        for profile in profiles:
            words += ["--profile", profile]
        return [*words, *arguments]

    def run(self, *arguments: str, profiles: Iterable[str] = ()) -> str:
        """What `docker compose ARGUMENTS...` prints.

        Raises:
            MillraceError: it failed.
        """
        return self._call(self.command(*arguments, profiles=profiles), arguments[0])

    def build_command(self) -> list[str]:
        """`docker compose build`, always under one name.

        Compose writes the project's name into the images: by another one they would be others.
        """
        return replace(self, build_name=_BUILD_NAME).command("build")

    def by_name(self, *arguments: str) -> list[str]:
        """`docker compose ARGUMENTS...` on what carries the project's labels.

        No file, no variable and no profile of another day stands in the way.
        """
        return [*compose_program(), "--project-name", self.name, *arguments]

    def take_down(self, *options: str) -> None:
        """Stop and remove every container of the project.

        Raises:
            MillraceError: it failed, or took too long.
        """
        self._call(guarded(self.by_name("down", "--remove-orphans", *options)), "down")

    def _call(self, command: list[str], name: str) -> str:
        try:
            done = subprocess.run(
                command,
                # Away from any compose file.
                cwd="/",
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            cause = f"has not ended after {_TIMEOUT_SECONDS:.0f} s"
            raise EngineError(
                f"docker compose {name}", cause, "docker info  # then the same again"
            ) from None
        if done.returncode:
            raise refusal(done.stderr, name)
        return done.stdout

    def config(self, profiles: Iterable[str] = ()) -> dict[str, Any]:
        """The interpolated document of the active services, as Compose understands it.

        Raises:
            MillraceError: Compose refuses the files.
        """
        document: dict[str, Any] = json.loads(
            self.run("config", "--format", "json", profiles=profiles)
        )
        return document

    def limit_variable(self, service: str) -> str:
        """The variable that sets a service's memory limit; empty where its file fixes it."""
        for file in reversed(self.files):
            services = yaml.load(file.read_text(), Loader=_Loader)["services"]  # noqa: S506
            limit = str((services.get(service) or {}).get("mem_limit"))
            if found := re.match(r"\$\{(\w+)", limit):
                return found[1]
        return ""


def refusal(said: str, command: str) -> MillraceError:
    """Compose's own words as an error of ours."""
    if found := re.search(r'required variable "?(\w+)"? is missing a value(?:: (.*))?', said):
        cause = (found[2] or "the overlay needs it").strip().rstrip('"')
        return MillraceError(
            found[1], cause, f"export {found[1]}=...  # docker/compose.*.yml says more"
        )
    error = explain(said, f"compose {command}")
    # Warnings stand before the error.
    return EngineError(error.thing, error.cause, error.remedy)


def read_overlays(home: Path) -> tuple[str, ...]:
    """The overlays that the last `up` took."""
    try:
        words = (home / _FILE).read_text().split()
    except OSError:
        return ()
    return tuple(word for word in words if word in OVERLAYS)


def write_overlays(home: Path, overlays: Iterable[str]) -> None:
    """Remember them for the commands to come."""
    temporary = home / f"{_FILE}.new"
    temporary.write_text(" ".join(overlays) + "\n")
    temporary.replace(home / _FILE)
