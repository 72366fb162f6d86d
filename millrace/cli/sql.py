"""`millrace sql`: SQL on Trino from the command line, one statement or many.

A statement given as an argument is run and printed. Without one, statements are read until each
ends in a semicolon: from the keyboard, where an error is shown and the next statement asked for, or
from a file on standard input, where the first error stops the script.
"""

from __future__ import annotations

import csv
import readline
import sys
import time
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

import click
import trino
from rich.console import Console
from rich.table import Table
from trino.dbapi import Cursor
from trino.exceptions import Error as TrinoError
from trino.exceptions import TrinoQueryError

from millrace.errors import MillraceError, TransientError
from millrace.settings import Settings, load

PROMPT, CONTINUATION = "sql> ", "  -> "


@click.command(context_settings={"ignore_unknown_options": True})  # a statement may open with --
@click.argument("statement", nargs=-1, type=click.UNPROCESSED)
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values, not a table.")
def sql(statement: tuple[str, ...], as_csv: bool) -> None:
    """Run STATEMENT on Trino, or read statements from the keyboard or standard input.

    Names without a schema are views of the marts, for example
    `millrace sql "select * from daily_revenue order by 1 desc limit 5"`.
    """
    settings = load()
    cursor = connect(settings)
    if statement:
        run(settings, cursor, " ".join(statement), as_csv)
    elif sys.stdin.isatty():
        converse(settings, cursor, as_csv)
    else:
        for text in statements(sys.stdin):
            run(settings, cursor, text, as_csv)


def connect(settings: Settings) -> Cursor:
    """A cursor on the catalog `iceberg`, in the schema where every mart has a view."""
    connection = trino.dbapi.connect(  # type: ignore[no-untyped-call]
        host=settings.trino.host,
        port=settings.trino.port,
        user="millrace",
        catalog="iceberg",
        schema="default",
        source="millrace-sql",
        max_attempts=1,
    )
    cursor: Cursor = connection.cursor()
    return cursor


def converse(settings: Settings, cursor: Cursor, as_csv: bool) -> None:
    """Answer statements from the keyboard until the end of input; an error ends nothing."""
    readline.parse_and_bind("tab: complete")
    click.echo(f"Trino at {settings.trino.address}; end a statement with ; and leave with Ctrl-D")
    for text in statements(keyboard()):
        try:
            run(settings, cursor, text, as_csv)
        except MillraceError as error:
            click.secho(f"error: {error}", err=True, fg="red")


def keyboard() -> Iterator[str]:
    """Lines as they are typed. Ctrl-D ends; Ctrl-C ends too, for nothing is worth keeping."""
    prompt = PROMPT
    while True:
        try:
            line = input(prompt)
        except (EOFError, KeyboardInterrupt):
            click.echo()
            return
        prompt = PROMPT if not line.strip() or line.rstrip().endswith(";") else CONTINUATION
        yield line + "\n"


def statements(lines: Iterable[str]) -> Iterator[str]:
    """Statements, each ended by a semicolon at the end of a line or by the end of input."""
    gathered: list[str] = []
    for line in lines:
        gathered.append(line)
        if line.rstrip().endswith(";"):
            yield from _stripped("".join(gathered))
            gathered.clear()
    yield from _stripped("".join(gathered))


def _stripped(text: str) -> Iterator[str]:
    """The statement without its semicolon, where there is one."""
    if statement := text.strip().rstrip(";").strip():
        yield statement


def run(settings: Settings, cursor: Cursor, statement: str, as_csv: bool) -> None:
    """Run one statement and print its rows.

    Raises:
        TransientError: Trino does not answer.
        MillraceError: Trino refuses the statement.
    """
    started = time.monotonic()
    try:
        cursor.execute(statement.strip().rstrip(";"))  # type: ignore[no-untyped-call]
        rows = cursor.fetchall()
    except TrinoQueryError as error:
        remedy = 'make sql ARGS="show tables from marts"'
        if error.error_type != "USER_ERROR":
            remedy = "make logs SERVICE=trino"
        raise MillraceError("query", f"{error.message} ({error.error_name})", remedy) from None
    except (TrinoError, OSError) as error:
        address = f"Trino at {settings.trino.address}"
        raise TransientError(address, f"no answer ({type(error).__name__})", "make up") from None
    names = [column[0] for column in cursor.description or []]
    if as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([names, *rows])
    else:
        print_table(names, rows, time.monotonic() - started)


def print_table(names: list[str], rows: list[list[Any]], seconds: float) -> None:
    """Print rows as a table, numbers to the right, and how many there were."""
    # Wide results are not squeezed where the output is a pipe or a file.
    width = None if sys.stdout.isatty() else 10_000
    console = Console(width=width, markup=False, highlight=False, emoji=False)
    table = Table(*names, header_style="bold", show_lines=False)
    for index, column in enumerate(table.columns):
        if rows and isinstance(rows[0][index], int | float | Decimal):
            column.justify = "right"
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    if names:
        console.print(table)
    click.echo(f"{len(rows)} row{'s' * (len(rows) != 1)} in {seconds:.1f} s")
