"""Builds the images, and says which step of which one failed.

BuildKit's own cache decides what has to be done: without a change it takes seconds.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Collection, Sequence
from pathlib import Path

import click

from millrace.cluster.docker.engine import EngineError, call, find_engine, guarded
from millrace.cluster.docker.project import Project, read_overlays, refusal
from millrace.cluster.state_folder import close, only_one
from millrace.engine.provide import LOCAL_AUTHORITIES, authorities
from millrace.errors import MillraceError
from millrace.settings import Settings

#: What the images of the services are made from, and what those with code are made from besides:
#: a commit that touches nothing of it changes no image, and recreates no container.
_SERVICE_SOURCES = ("docker", "distribution", "scripts", "config")
_CODE_SOURCES = (
    *_SERVICE_SOURCES,
    *("bin", "contracts", "millrace", "spark_jobs", "kafka/producers", "dbt_project", "airflow"),
)
_SHOWN_LINES = 15
#: `#12 [trino 3/5] RUN ...`: a step of a target as it begins; then `#12 CACHED`, or its output.
_STEP = re.compile(r"(#\d+) (\[[a-z][\w -]*\d+/\d+\] .*)")
#: ` > [trino 3/5] RUN ...:` heads what BuildKit repeats of a failed step.
_FAILED = re.compile(r"^\s*> \[((?:[\w-]+ )?([\w-]+) +\d+/\d+)\] (.*?):?$", re.MULTILINE)
_TITLE = "org.opencontainers.image.title=Millrace"
#: What BuildKit repeats where it has no base image.
_NO_BASE = re.compile(r"^\s*> \[[^\]]*internal\] load metadata for (\S+?):$", re.MULTILINE)


class BuildError(MillraceError):
    """An image that can not be built."""


def build(settings: Settings, overlays: Collection[str] | None = None) -> None:
    """Build every image of the cluster, and show each step that is not in the cache.

    Raises:
        MillraceError: there is no engine, or a step failed.
    """
    chosen = read_overlays(settings.home) if overlays is None else tuple(overlays)
    project = Project(settings, chosen)
    find_engine(project.oldest_compose)
    log = settings.home / "logs" / "build.log"
    close(settings.home)
    log.parent.mkdir(exist_ok=True)
    started, steps = time.monotonic(), Steps()
    environment = {**project.environment(), "BUILDKIT_PROGRESS": "plain"}
    root = settings.root
    environment.setdefault("MILLRACE_REVISION", revision(root, _SERVICE_SOURCES))
    environment.setdefault("MILLRACE_CODE_REVISION", revision(root, _CODE_SOURCES))
    environment.update(authorities(LOCAL_AUTHORITIES, environment))
    with (
        only_one(settings, "building its images", "build-lock"),
        log.open("w") as file,
        subprocess.Popen(
            guarded(project.build_command()),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            file.write(line)
            if step := steps.done_anew(line.rstrip()):
                click.echo(f"  {step[:96]}")
        code = process.wait()
    if code:
        raise failure(log.read_text(), log)
    # Former builds of ours; nobody else's.
    call("image", "prune", "--force", "--filter", f"label={_TITLE}", timeout=None)
    click.echo(f"the images are built after {time.monotonic() - started:.0f} s")


class Steps:
    """Follows what BuildKit prints, and tells of each step that is not in the cache."""

    def __init__(self) -> None:
        self._begun: dict[str, str] = {}

    def done_anew(self, line: str) -> str:
        """The step that this line shows to be at work for the first time; else empty."""
        if found := _STEP.match(line):
            self._begun[found[1]] = found[2]
            return ""
        number, _, rest = line.partition(" ")
        step = self._begun.pop(number, "")
        return "" if rest == "CACHED" else step


def failure(said: str, log: Path) -> MillraceError:
    """Which step of which target failed, with the last lines it printed."""
    found = _FAILED.search(said)
    if not found and (base := _NO_BASE.search(said)):
        image = base[1].removeprefix("docker.io/").removeprefix("library/")
        cause = f"the engine could not pull it: {said.strip().splitlines()[-1][:300]}"
        remedy = f"docker pull {image}  # or name another Debian 12 by BASE_IMAGE"
        return BuildError(f"image {image}", cause, remedy)
    if not found:
        if re.search(r"buildx|BuildKit", said) and "requires" in said:
            remedy = "sudo apt-get install docker-buildx-plugin  # then make install RUNTIME=docker"
            return EngineError("docker buildx", said.strip().splitlines()[-1], remedy)
        return refusal(said, "build")
    block = said[found.end() :].partition("------")[0]
    # BuildKit writes the seconds of the step before each line.
    lines = [re.sub(r"^\d+\.\d+ ", "", line) for line in block.splitlines() if line.strip()]
    shown = "".join(f"\n    {line[:300]}" for line in lines[-_SHOWN_LINES:])
    return BuildError(
        f"the image of target {found[2]}",
        f"its step `{found[3][:200]}` failed; the last lines it printed:{shown}",
        f"make install RUNTIME=docker  # again, where the network failed; or see {log}",
    )


def revision(root: Path, sources: Sequence[str]) -> str:
    """The last commit that changed any of the sources; `unknown` outside a clone."""
    command = ["git", "log", "-1", "--format=%H", "--", *sources]
    try:
        done = subprocess.run(
            command, cwd=root, env=os.environ, capture_output=True, text=True, check=False
        )
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"
