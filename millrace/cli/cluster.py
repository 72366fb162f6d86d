"""The commands of the cluster: up, down, status, logs, doctor, destroy."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import click
from rich.console import Console

from millrace.cluster import lifecycle
from millrace.cluster.causes import tail
from millrace.cluster.pages import pages
from millrace.cluster.preflight import Problem, problems
from millrace.cluster.status import status as read_status
from millrace.cluster.supervisor import Supervisor
from millrace.cluster.view import status_table, watching
from millrace.errors import MillraceError
from millrace.settings import Settings, load

#: The first start of a cold machine makes databases and reads a gigabyte of jars.
_UP_SECONDS = 300.0


def _native_only() -> None:
    if os.environ.get("RUNTIME", "native") != "native":
        cause = "the images of the services are not there yet; the native runtime runs the same"
        raise MillraceError("RUNTIME=docker", cause, "make up RUNTIME=native")


@click.command()
@click.option(
    "--profile",
    "profiles",
    multiple=True,
    type=click.Choice(["history"]),
    help="Also start the services of this profile.",
)
@click.option("--wait", "timeout", default=_UP_SECONDS, show_default=True, help="Seconds to wait.")
def up(profiles: tuple[str, ...], timeout: float) -> None:
    """Start every service that is not running and wait until all are healthy."""
    _native_only()
    settings = load()
    console = Console()
    started = time.monotonic()
    with watching(console) as watch:
        services = lifecycle.up(settings, profiles, timeout, watch)
    click.echo(f"{len(services)} services are healthy after {time.monotonic() - started:.1f} s")
    for page in pages(settings, services):
        click.echo(f"  {page.title:<16}{page.url}" + (f"  ({page.login})" if page.login else ""))
    click.echo("next: make status, make demo, make logs SERVICE=trino, make down")


@click.command()
def down() -> None:
    """Stop every service and leave no process; the data stays."""
    ended = lifecycle.down(load())
    click.echo("stopped" + (f"; {ended} left-over processes were ended" if ended else ""))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(as_json: bool) -> None:
    """Health, memory, ports and restarts of every service."""
    found = read_status(load())
    if as_json:
        click.echo(json.dumps(found.as_dict(), indent=2))
    elif found.services:
        console = Console()
        # A pipe has no width: nothing may be cut there.
        console = console if console.is_terminal else Console(width=120)
        console.print(status_table(found))
    if not found.services:
        raise MillraceError("the cluster", "is not running", "make up")
    if not found.is_healthy:
        sick = ", ".join(s.name for s in found.services if s.health not in ("healthy", "done"))
        raise MillraceError(f"service {sick}", "is not healthy", "make up  # or make doctor")


@click.command()
@click.argument("service", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on as lines are written.")
@click.option("-n", "--lines", default=50, show_default=True)
def logs(service: str | None, follow: bool, lines: int) -> None:
    """The last lines of the log of one service, or of all."""
    settings = load()
    files = _log_files(settings, service)
    if follow:
        subprocess.run(["tail", "-n", str(lines), "-F", *files], check=False)  # noqa: S607
        return
    for file in files:
        if len(files) > 1:
            click.secho(f"==> {file.stem}", bold=True)
        for line in tail(file, lines if service else min(lines, 5)):
            click.echo(line)


def _log_files(settings: Settings, service: str | None) -> list[Path]:
    folder = settings.home / "logs"
    files = sorted(folder.glob("*.log"))
    if not service:
        if files:
            return files
        raise MillraceError("the logs", f"{folder} is empty", "make up")
    if folder / f"{service}.log" in files:
        return [folder / f"{service}.log"]
    known = ", ".join(file.stem for file in files) or "none yet"
    raise MillraceError(f"service {service}", f"has no log; there are: {known}", "make status")


@click.command()
def doctor() -> None:
    """Check the machine and the cluster; every problem comes with its remedy."""
    settings = load()
    names = lifecycle.service_names(settings)
    is_running = Supervisor(settings).is_running()
    found = [
        problem
        for problem in problems(settings, names)
        # A running cluster holds its own ports and memory.
        if not (is_running and problem.thing.split()[0] in ("port", "memory"))
    ]
    if is_running:
        for service in read_status(settings).services:
            if service.health not in ("healthy", "done"):
                remedy = f"make logs SERVICE={service.name}"
                found.append(Problem(f"service {service.name}", f"is {service.health}", remedy))
    for problem in found:
        mark = "warning" if problem.is_warning else "problem"
        click.echo(f"{mark}: {problem.thing}: {problem.cause}\n  to mend it: {problem.remedy}")
    if any(not problem.is_warning for problem in found):
        raise MillraceError("this machine", "has the problems above", "make doctor  # afterwards")
    running = "the cluster is running and healthy" if is_running else "ready for make up"
    click.echo(f"no problem found: {running}")


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def destroy(yes: bool) -> None:
    """Stop the cluster and delete all its data."""
    settings = load()
    if not yes:
        click.confirm(f"Delete all data below {settings.home}?", abort=True)
    lifecycle.destroy(settings)
    click.echo(f"deleted the data below {settings.home}")
