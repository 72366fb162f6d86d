"""`millrace maintain`: keep the lake's tables small and quick, without hurting who uses them."""

from __future__ import annotations

import click

from millrace.contracts import load_contracts
from millrace.lake import catalog
from millrace.maintenance.lake import Lake
from millrace.maintenance.run import STEPS
from millrace.maintenance.run import maintain as run
from millrace.maintenance.trino import TrinoEngine
from millrace.settings import load


def _split(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[str, ...]:
    if value is None:
        return ()
    steps = tuple(each.strip() for each in value.split(",") if each.strip())
    if unknown := set(steps) - set(STEPS):
        raise click.BadParameter(f"{min(unknown)} is none of {', '.join(STEPS)}")
    if not steps:  # without a step all of them would run
        raise click.BadParameter(f"it names none of {', '.join(STEPS)}")
    return steps


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what each step would do.")
@click.option("--table", "tables", multiple=True, help="Only this one, as raw.orders; repeatable.")
@click.option("--only", "steps", callback=_split, help=f"Only these of {','.join(STEPS)}.")
def maintain(dry_run: bool, tables: tuple[str, ...], steps: tuple[str, ...]) -> None:
    """Remove old rows, compact files and manifests, expire snapshots, delete orphans.

    Safe while landing, Spark and dbt work, and to repeat; docs/reference/maintenance.md says what
    each step leaves alone.
    """
    settings = load()
    engine = TrinoEngine(settings, lambda text: click.echo(f"    {text}"))
    lake = Lake(catalog(settings), load_contracts(), settings.maintenance, engine)
    folder = settings.home / "maintenance"
    failures = run(lake, folder, click.echo, tables, steps, dry_run=dry_run)
    for failure in failures[1:]:
        click.echo(f"error: {failure}", err=True)
    if failures:
        raise failures[0]
