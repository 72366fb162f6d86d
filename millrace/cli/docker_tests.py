"""The tests on containers: an engine, our images, a cluster of its own, and nothing left behind.

The cluster is the Compose project of the test state folder. What the tests start beside it carries
`LABEL`, so that its removal can be checked like the project's own.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

from millrace.cli.testing import DOCKER, remove_test_cluster, run_millrace, run_pytest
from millrace.cluster.docker.engine import ask, call
from millrace.cluster.docker.project import Project
from millrace.engine.provide import engine
from millrace.settings import Settings

#: On every container, volume and network that a test starts by itself.
LABEL = "dev.millrace.tests"
#: kind -> how the client lists all of them
_KINDS = {
    "container": ("ps", "--all", "--quiet"),
    "volume": ("volume", "ls", "--quiet"),
    "network": ("network", "ls", "--quiet"),
}


def run_on_containers(
    settings: Settings, part: str, arguments: list[str], *, remove_images: bool
) -> int:
    """Build the images, run pytest on a cluster of them, remove everything; 0 when all went well.

    Raises:
        MillraceError: no engine answers and none can be started.
    """
    project = Project(Settings(root=settings.root, home=DOCKER.home(settings))).name
    with engine(say):
        remove(project)
        remove_test_cluster(settings, DOCKER)
        try:
            if "tests/docker" in arguments:
                _install_testcontainers(settings)
            run_millrace(settings, DOCKER, "build")
        except subprocess.CalledProcessError as failed:
            # It has said why.
            return failed.returncode
        click.secho(f"== {part}: pytest {' '.join(arguments)}", bold=True)
        code = run_pytest(settings, DOCKER, arguments)
        if code:
            _keep_logs(project, DOCKER.home(settings))
            run_millrace(settings, DOCKER, "down")
            say(f"the logs stay in {DOCKER.home(settings)}/logs, the data until the next run")
            return code
        remove_test_cluster(settings, DOCKER)
        left = remains(project)
        if left:
            say(f"not removed: {', '.join(left)}")
            remove(project)
            return 1
        if remove_images:
            _remove_images(settings)
        say("removed every container, volume and network of the tests")
        return code


def say(step: str) -> None:
    """Tell a step; pytest's own output follows on the same stream."""
    click.echo(step)
    sys.stdout.flush()


def remains(project: str) -> list[str]:
    """What of the tests is still there, as `kind id`."""
    filters = (f"label=com.docker.compose.project={project}", f"label={LABEL}")
    return [
        f"{kind} {found}"
        for kind, listing in _KINDS.items()
        for each in filters
        for found in ask(*listing, "--filter", each).split()
    ]


def remove(project: str) -> None:
    """Remove what a killed run left: containers first, since they hold the rest."""
    for entry in remains(project):
        kind, found = entry.split()
        force = ("--force",) if kind == "container" else ()
        call(kind, "rm", *force, found)


def _install_testcontainers(settings: Settings) -> None:
    home = str(settings.home)
    command = [sys.executable, "-m", "millrace.dist", "--home", home, "testcontainers"]
    subprocess.run(command, cwd=settings.root, check=True)


def _keep_logs(project: str, home: Path) -> None:
    """The output of each container, and what the engine knows of it: `down` removes both."""
    folder = home / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    listing = ("ps", "--all", "--filter", f"label=com.docker.compose.project={project}")
    for name in ask(*listing, "--format", "{{.Names}}").split():
        done = call("logs", "--timestamps", name)
        (folder / f"{name}.log").write_bytes(done.stdout + done.stderr)
        (folder / f"{name}.json").write_bytes(call("inspect", name).stdout)


def _remove_images(settings: Settings) -> None:
    config = Project(settings).config()
    images = {service["image"] for service in config["services"].values()}
    call("image", "rm", *sorted(images))
