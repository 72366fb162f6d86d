"""`millrace landing`: start, stop and watch the application that lands every topic."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

import click

from millrace.cli import landing_report as report
from millrace.contracts import Contract, find, load_contracts
from millrace.contracts.names import QUARANTINE_TABLE
from millrace.errors import MillraceError
from millrace.lake import catalog
from millrace.landing.broker import Broker
from millrace.landing.control import Control
from millrace.landing.errors import (
    GateError,
    LandingTroubleError,
    NotLandingError,
    ReplayRolledBackError,
)
from millrace.landing.lag import Lag, LagMeter
from millrace.landing.lander import Lander
from millrace.landing.rebuild import plan_rebuilds
from millrace.landing.reset import reset_offsets
from millrace.landing.status import measure
from millrace.landing.yarn import Application, Yarn, submit
from millrace.settings import load

STOP_TIMEOUT_S = 120.0
POLL_S = 1.0
#: From submission to the first batch; until then nobody need be running.
START_TIMEOUT_S = 120.0


@click.group()
def landing() -> None:
    """Land every contract's topic into its raw table."""


@landing.command()
def start() -> None:
    """Submit the application to YARN, unless it runs already; of several keep the oldest."""
    yarn = Yarn(load())
    if running := yarn.landing():
        _keep_first(yarn, running)
        click.echo(f"{running[0].id} is {running[0].state.lower()} already")
        return
    contracts = list(load_contracts().values())
    # Passing the gate here tells the reason here, and not in the log of a container.
    Lander(catalog(), contracts, Broker(load().kafka.address)).open()
    Control(load()).withdraw_stop()
    submit(load())
    applications = yarn.landing()
    if not applications:
        raise NotLandingError("the application ended at once")
    _keep_first(yarn, applications)  # two starts raced
    click.echo(f"{applications[0].id} lands {', '.join(each.topic for each in contracts)}")


@landing.command()
@click.option(
    "--timeout",
    default=STOP_TIMEOUT_S,
    show_default=True,
    help="Seconds after which it is killed.",
)
def stop(timeout: float) -> None:
    """Stop the application between two batches."""
    yarn, control = Yarn(load()), Control(load())
    if not yarn.landing():
        click.echo("no landing application is running")
        return
    control.ask_to_stop()
    deadline = time.monotonic() + timeout
    while applications := yarn.landing():
        if time.monotonic() > deadline:
            for application in applications:
                yarn.kill(application)
                click.echo(f"{application.id} did not stop in {timeout:g} s and was killed")
            break
        time.sleep(POLL_S)
    control.withdraw_stop()
    click.echo("landing is stopped")


@landing.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--strict", is_flag=True, help="Fail where something is wrong.")
def status(as_json: bool, strict: bool) -> None:
    """Show the application, what tables and topics hold, the lag, and what is wrong.

    A record that has not landed when half of its topic's retention is over counts as wrong.
    """
    applications, state = Yarn(load()).landing(), Control(load()).state()
    topics = measure(catalog(), Broker(load().kafka.address), load_contracts().values())
    if as_json:
        click.echo(json.dumps(report.as_json(applications, state, topics)))
    else:
        report.show_application(applications, state)
        report.show_topics(topics)
    problems = [problem for topic in topics for problem in topic.problems]
    if strict and problems:
        raise LandingTroubleError([each.text for each in problems], problems[0].remedy)


@landing.command()
@click.option("--timeout", default=300.0, show_default=True, help="Seconds to wait at most.")
def wait(timeout: float) -> None:
    """Wait until everything that is in the topics now has landed."""
    yarn, began = Yarn(load()), time.monotonic()

    def tell(lags: list[Lag]) -> None:
        """Fail early where nobody lands."""
        behind = any(each.behind for each in lags)
        if behind and time.monotonic() - began > START_TIMEOUT_S and not yarn.landing():
            raise NotLandingError()

    meter = LagMeter(catalog(), Broker(load().kafka.address), load_contracts().values())
    report.show_lags(meter.wait(timeout, tell))


@landing.command()
@click.argument("dataset")
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(dataset: str, yes: bool) -> None:
    """Go on with the log as it is now, after table and log have parted.

    Rows that are landed stay. Where the log lost records before they landed, its first one is
    next; where it ends before what is landed, its end is. A topic that was created again begins
    anew.
    """
    contract = find(dataset, load_contracts())
    if Yarn(load()).landing():
        raise MillraceError("landing", "the application is running", "bin/millrace landing stop")
    cause = _gate(contract)
    if cause is None:
        click.echo(f"{contract.raw_table} and the topic {contract.topic} agree: nothing to reset")
        return
    if isinstance(cause, ReplayRolledBackError):
        raise cause  # table and log agree: a reset would mend nothing
    click.echo(cause.cause)
    if not yes:
        click.confirm(f"Go on with the log of {contract.topic} as it is now?", abort=True)
    reset_offsets(catalog(), contract, Broker(load().kafka.address))
    click.echo(f"{contract.raw_table} goes on with the log of {contract.topic}")


@landing.command()
@click.argument("datasets", metavar="[DATASET]...", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Only say what would be recorded.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def rebuild(datasets: tuple[str, ...], dry_run: bool, yes: bool) -> None:
    """Tell from the rows how far the tables are landed, and record it.

    Without DATASET, of those tables whose offsets are lost. With it, of that one's table and of
    the quarantine table, where the rows contradict what is recorded.
    """
    contracts = load_contracts()
    doubted = {find(each, contracts).raw_table for each in datasets}
    if doubted:
        doubted.add(QUARANTINE_TABLE)
    if Yarn(load()).landing() and not dry_run:
        raise MillraceError("landing", "the application is running", "bin/millrace landing stop")
    broker = Broker(load().kafka.address)
    planned = plan_rebuilds(catalog(), broker, contracts.values(), doubted, click.echo)
    needed = [each for each in planned if each.is_needed]
    for each in needed:
        report.show_rebuild(each)
    if not needed:
        click.echo("what is recorded agrees with the rows: nothing to rebuild")
        return
    if dry_run:
        return
    if not yes:
        click.confirm("Record these offsets?", abort=True)
    for each in needed:
        each.apply()
        click.echo(f"{each.table.name}: recorded")


def _keep_first(yarn: Yarn, applications: Sequence[Application]) -> None:
    """Kill all but the first: two take each other's batches, and both start again for ever."""
    first, *others = applications
    for each in others:
        yarn.kill(each)
    if others:
        click.echo(f"{', '.join(each.id for each in others)} killed: {first.id} is older")


def _gate(contract: Contract) -> GateError | None:
    try:
        Lander(catalog(), [contract], Broker(load().kafka.address)).open()
    except GateError as error:
        return error
    return None
