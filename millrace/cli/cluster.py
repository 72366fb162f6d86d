"""The commands of the cluster: up, down, status, logs, doctor, destroy, build."""

from __future__ import annotations

import json
import time

import click
from rich.console import Console

from millrace.cluster.docker.build import build as build_images
from millrace.cluster.docker.project import OVERLAYS, PROFILES
from millrace.cluster.pages import pages
from millrace.cluster.preflight import Problem
from millrace.cluster.runtime import current
from millrace.cluster.view import status_table, watching
from millrace.errors import MillraceError
from millrace.settings import load

#: The first start of a cold machine makes databases and reads a gigabyte of jars.
_UP_SECONDS = 300.0

_NO_OVERLAY = "none"
_overlay = click.option(
    "--overlay",
    "overlays",
    multiple=True,
    envvar="OVERLAY",
    type=click.Choice([*OVERLAYS, _NO_OVERLAY]),
    help="Docker: what takes another part's place; the next commands keep to it.",
)


@click.command()
@click.option(
    "--profile",
    "profiles",
    multiple=True,
    type=click.Choice(PROFILES),
    help="Also start the services of this profile.",
)
@_overlay
@click.option("--wait", "timeout", default=_UP_SECONDS, show_default=True, help="Seconds to wait.")
def up(profiles: tuple[str, ...], overlays: tuple[str, ...], timeout: float) -> None:
    """Start every service that is not running and wait until all are healthy."""
    settings = load()
    runtime = current(settings, _chosen(overlays))
    started = time.monotonic()
    with watching(Console()) as watch:
        services = runtime.up(profiles, timeout, watch)
    click.echo(f"{len(services)} services are healthy after {time.monotonic() - started:.1f} s")
    for page in pages(settings, services):
        click.echo(f"  {page.title:<16}{page.url}" + (f"  ({page.login})" if page.login else ""))
    click.echo("next: make status, make demo, make logs SERVICE=trino, make down")


def _chosen(overlays: tuple[str, ...]) -> list[str] | None:
    """None for those of the last `up`: the metastore's tables are where they were."""
    return [name for name in overlays if name != _NO_OVERLAY] if overlays else None


@click.command()
@_overlay
def build(overlays: tuple[str, ...]) -> None:
    """Build the images of the Docker runtime."""
    build_images(load(), _chosen(overlays))


@click.command()
def down() -> None:
    """Stop every service and leave no process; the data stays."""
    ended = current(load()).down()
    click.echo("stopped" + (f"; {ended} left-over processes were ended" if ended else ""))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(as_json: bool) -> None:
    """Health, memory, ports and restarts of every service."""
    found = current(load()).status()
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
@click.option("-n", "--lines", default=50, show_default=True, help="How many of each service.")
def logs(service: str | None, follow: bool, lines: int) -> None:
    """The last lines of the log of one service, or of all."""
    current(load()).logs(service, follow, lines)


@click.command()
def doctor() -> None:
    """Check the machine and the cluster; every problem comes with its remedy."""
    runtime = current(load())
    found = runtime.problems()
    is_running = runtime.is_running()
    if is_running:
        for service in runtime.status().services:
            if service.health not in ("healthy", "done"):
                remedy = f"make logs SERVICE={service.name}"
                found.append(Problem(f"service {service.name}", f"is {service.health}", remedy))
    for problem in found:
        mark = "warning" if problem.is_warning else "problem"
        click.echo(f"{mark}: {problem.thing}: {problem.cause}\n  to mend it: {problem.remedy}")
    if any(not problem.is_warning for problem in found):
        raise MillraceError("this machine", "has the problems above", "make doctor  # afterwards")
    running = "the cluster is running and healthy" if is_running else "ready for make up"
    click.echo(f"no problem found: {running} ({runtime.name})")


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def destroy(yes: bool) -> None:
    """Stop the cluster and delete all its data."""
    runtime = current(load())
    if not yes:
        click.confirm(f"Delete all data {runtime.holdings}?", abort=True)
    runtime.destroy()
    click.echo(f"deleted the data {runtime.holdings}")
