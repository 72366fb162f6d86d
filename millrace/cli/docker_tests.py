"""The tests on containers: an engine, our images, a cluster of its own, and nothing left behind.

The cluster is the Compose project of the test state folder. What the tests start beside it carries
`LABEL`, so that its removal can be checked like the project's own.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from millrace.cli.beds import DOCKER, remove_test_cluster, run_millrace
from millrace.cli.testing import run_pytest
from millrace.cluster.docker.engine import ask, call
from millrace.cluster.docker.project import Project
from millrace.dist.cache import cache_folder
from millrace.engine.provide import engine
from millrace.errors import MillraceError
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

    A run that is broken off removes what it started, too, its data included.

    Raises:
        MillraceError: no engine answers and none can be started, or another run is at work.
    """
    project = Project(Settings(root=settings.root, home=DOCKER.home(settings))).name
    with alone(settings.root), engine(say), removed_when_broken_off(project):
        remove(project)
        remove_test_cluster(settings, DOCKER)
        try:
            copy_clone(settings.root, DOCKER.clone(settings))
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


@contextmanager
def alone(root: Path) -> Iterator[None]:
    """Keep other runs of this user off: project and ports are the same for every clone.

    Raises:
        MillraceError: another run is at work.
    """
    folder = cache_folder() / "engine"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "tests.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            cause = f"another run of them is at work, from {lock.read().strip()}"
            remedy = f"flock {lock.name} true && make test-docker  # waits for its end"
            raise MillraceError("the tests on containers", cause, remedy) from None
        lock.truncate(0)
        lock.write(f"{root}\n")
        lock.flush()
        yield


@contextmanager
def removed_when_broken_off(project: str) -> Iterator[None]:
    """Remove what runs when an interrupt or SIGTERM ends the tests, and nobody will look at it."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        say("broken off: removing every container, volume and network of the tests")
        remove(project)
        raise


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
    found = [entry.split() for entry in remains(project)]
    for kind in _KINDS:
        if names := sorted({name for of_kind, name in found if of_kind == kind}):
            force = ("--force",) if kind == "container" else ()
            call(kind, "rm", *force, *names)


def copy_clone(root: Path, target: Path) -> None:
    """Copy the clone, with what is not committed: what the containers of the tests mount.

    The tests add jobs, models and DAGs, which the user's own containers must not see.
    """
    clone = ["git", "clone", "--quiet", "--no-checkout", str(root), str(target)]
    subprocess.run(clone, check=True)
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(listing, cwd=root, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (root / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, target / name)


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
    # The overlay has one more, of MariaDB.
    config = Project(settings, ("mysql",)).config()
    images = {service["image"] for service in config["services"].values()}
    call("image", "rm", *sorted(images))
