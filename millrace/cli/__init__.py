"""The `millrace` command: a table of commands, each loaded when it is called.

A command lives in the module of its area; only the called one is imported, so that `--help`
answers at once and no command pays for another's imports.
"""

from __future__ import annotations

import errno
import importlib
import os
import shlex
import sys

import click

from millrace import __version__
from millrace.cluster.causes import MAKE_ROOM
from millrace.errors import MillraceError

#: command -> (module, attribute, one line of help)
COMMANDS: dict[str, tuple[str, str, str]] = {
    "up": ("millrace.cli.cluster", "up", "start the cluster and wait until it is healthy"),
    "down": ("millrace.cli.cluster", "down", "stop the cluster; the data stays"),
    "status": ("millrace.cli.cluster", "status", "health, memory and ports of every service"),
    "logs": ("millrace.cli.cluster", "logs", "the last lines of a service's log"),
    "doctor": ("millrace.cli.cluster", "doctor", "check this machine and the cluster"),
    "build": ("millrace.cli.cluster", "build", "build the images of the Docker runtime"),
    "destroy": ("millrace.cli.cluster", "destroy", "delete the cluster's data (asks first)"),
    "datasets": ("millrace.cli.contracts", "datasets", "list the datasets that have a contract"),
    "validate": ("millrace.cli.contracts", "validate", "check every contract"),
    "plan": ("millrace.cli.contracts", "plan", "show what apply would create and alter"),
    "apply": ("millrace.cli.contracts", "apply", "create topics, schemas and tables"),
    "generate": ("millrace.cli.contracts", "generate", "rewrite what is made from the contracts"),
    "generate-data": ("millrace.cli.produce", "generate_data", "generate the sample data"),
    "publish-sample": ("millrace.cli.produce", "publish_sample", "publish the sample data"),
    "produce": ("millrace.cli.produce", "produce", "publish the records of a file"),
    "produce-continuously": ("millrace.cli.produce", "produce_continuously", "publish live data"),
    "ledger": ("millrace.cli.produce", "ledger", "show what was sent and acknowledged"),
    "consume": ("millrace.cli.produce", "consume", "print records of a topic"),
    "landing": ("millrace.cli.landing", "landing", "start, stop and watch the landing stream"),
    "verify": ("millrace.cli.verify", "verify", "prove that nothing was lost and nothing doubled"),
    "quarantine": ("millrace.cli.quarantine", "quarantine", "the records that landing refused"),
    "check": ("millrace.cli.quality", "check", "check the processed tables against the contracts"),
    "maintain": ("millrace.cli.maintain", "maintain", "compact, expire, clean and age the tables"),
    "run": ("millrace.cli.airflow", "run", "run a DAG (the pipeline) and follow it"),
    "dbt": ("millrace.cli.dbt", "dbt", "run dbt on the marts: build, test, show, ..."),
    "sql": ("millrace.cli.sql", "sql", "query Trino, or start a session"),
    "demo": ("millrace.cli.demo", "demo", "the whole chain once, with the count"),
    "sabotage": ("millrace.cli.sabotage", "sabotage", "damage a copy: is it seen each time?"),
    "chaos": ("millrace.cli.chaos", "chaos", "make faults, and prove that nothing was lost"),
    "bench": ("millrace.cli.bench", "bench", "measure, beside what else there is"),
    "test": ("millrace.cli.testing", "run_tests", "run the project's own tests"),
    "clean": ("millrace.cli.testing", "clean", "remove temporary files"),
    "shell": ("millrace.cli.testing", "shell", "open Python with the lake's libraries"),
}


class LazyGroup(click.Group):
    """A click group whose commands are imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table, importing none of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="millrace")
def cli() -> None:
    """A modern data stack that starts in one command and proves that nothing was lost."""


def explain(error: OSError) -> MillraceError | None:
    """What the operating system refused, with its remedy; None where it is a defect of ours."""
    thing = str(error.filename or "a file")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return MillraceError(thing, "can not be written: the disk is full", MAKE_ROOM)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS) and error.filename:
        remedy = f"ls -ld {shlex.quote(thing)}  # make it yours, or set MILLRACE_HOME"
        return MillraceError(thing, os.strerror(error.errno).lower(), remedy)
    return None


def main() -> None:
    """Run the command line; a user's error is printed with its remedy, without a traceback."""
    try:
        cli.main(prog_name="millrace", standalone_mode=True)
    except MillraceError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        known = explain(error)
        if known is None:
            raise
        click.echo(f"error: {known}", err=True)
        sys.exit(1)
