"""The commands about contracts: datasets, validate, plan, apply, generate."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from millrace.contracts import find, load_contracts
from millrace.contracts.pages import dataset_page
from millrace.contracts.store import survey
from millrace.settings import load

if TYPE_CHECKING:
    from millrace.apply.steps import Step

MARKS = {"create": "+", "alter": "~", "keep": "=", "refuse": "!"}


@click.command()
@click.argument("dataset", required=False)
def datasets(dataset: str | None) -> None:
    """List the datasets that have a contract, or say what there is to say about one."""
    contracts = load_contracts()
    if dataset is not None:
        click.echo(dataset_page(find(dataset, contracts)))
        return
    width = max(len(name) for name in contracts)
    for contract in contracts.values():
        click.echo(f"{contract.dataset:{width}}  {contract.raw_table}  {contract.description}")


@click.command()
def validate() -> None:
    """Check every contract and say what is wrong with each, by file and line."""
    contracts, errors = survey()
    for error in errors:
        click.echo(f"error: {error}", err=True)
    if errors:
        sys.exit(1)
    click.echo(f"{len(contracts)} contracts are good: {', '.join(contracts)}")


@click.command()
def plan() -> None:
    """Show what `millrace apply` would create and alter; changes nothing."""
    from millrace.apply.plan import RefusedError, draw_up

    drawn = draw_up(load(), load_contracts().values())
    for step in drawn.steps:
        show(step)
    if refused := [step for step in drawn.steps if step.action == "refuse"]:
        raise RefusedError(refused)
    click.echo(summary(len(drawn.changes)))


@click.command()
def apply() -> None:
    """Create and alter topics, registry schemas and raw tables as the contracts say."""
    from millrace.apply.plan import draw_up, execute

    drawn = draw_up(load(), load_contracts().values())
    execute(drawn, tell=show)
    if not drawn.changes:
        click.echo(summary(0))


@click.command()
def generate() -> None:
    """Rewrite the files that are generated from the contracts."""
    from millrace.contracts.generated import write_all

    for path, changed in write_all(load(), load_contracts().values()):
        click.echo(f"{'wrote' if changed else 'kept'} {path}")


def show(step: Step) -> None:
    """One line for one step."""
    line = f"{MARKS[step.action]} {step.action:7}{step.thing}"
    click.echo(f"{line:42}  {step.detail}".rstrip())


def summary(changes: int) -> str:
    """The last line of a plan."""
    return f"{changes} to change: make apply" if changes else "nothing to change"
