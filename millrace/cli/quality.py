"""The command `check`: the quality gate."""

from __future__ import annotations

import click

from millrace.contracts import load_contracts
from millrace.settings import load


@click.group()
def check() -> None:
    """Check that the lake holds what the contracts say."""


@check.command()
def processed() -> None:
    """Check the processed tables and write the Data Docs; exit with 4 where rows break a rule."""
    from millrace.quality.gate import check_processed  # takes two seconds

    index = check_processed(load(), load_contracts().values(), tell=click.echo)
    click.echo(f"all expectations hold; Data Docs: {index}")
