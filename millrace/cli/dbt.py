"""`millrace dbt`: the lake's dbt on our project, with the cluster's addresses and folders.

dbt gets everything by its environment, so its arguments are passed through as they are and any of
its commands works. Nothing is written into the project's folder: manifest, compiled SQL and logs
go to the state folder.
"""

from __future__ import annotations

import os
import socket

import click

from millrace.environment import lake_environment
from millrace.errors import MillraceError, TransientError
from millrace.settings import Settings, load

#: Commands of dbt that read and write files only; all others talk to Trino.
OFFLINE_COMMANDS = {"parse", "list", "ls", "deps", "clean", "init"}
#: Long enough for a busy machine on the loopback interface.
PROBE_SECONDS = 3.0


@click.command(
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def dbt(arguments: tuple[str, ...]) -> None:
    """Run dbt with ARGUMENTS, for example `millrace dbt build --select fact_sales+`."""
    settings = load()
    executable = settings.dist / "lake" / "bin" / "dbt"
    if not executable.exists():
        raise MillraceError("dbt", f"{executable} is not installed", "make install")
    if needs_trino(arguments):
        probe_trino(settings)
    words = list(arguments) or ["--help"]
    # Replacing this process hands signals and the exit code to dbt.
    os.execve(str(executable), ["dbt", *words], dbt_environment(settings))  # noqa: S606


def needs_trino(arguments: tuple[str, ...]) -> bool:
    """Whether this call of dbt connects: it runs a command, and not one on files alone."""
    words = [word for word in arguments if not word.startswith("-")]
    asks_for_help = {"-h", "--help", "--version"} & set(arguments)
    return bool(words) and not asks_for_help and words[0] not in OFFLINE_COMMANDS


def probe_trino(settings: Settings) -> None:
    """Refuse at once where nothing listens; dbt would try for minutes and then show a traceback.

    Raises:
        TransientError: nothing listens at Trino's address.
    """
    trino = settings.trino
    try:
        socket.create_connection((trino.host, trino.port), timeout=PROBE_SECONDS).close()
    except OSError as error:
        raise TransientError(
            f"Trino at {trino.address}", f"no answer ({error})", "make up"
        ) from None


def dbt_environment(settings: Settings) -> dict[str, str]:
    """The lake's environment with dbt's folders; dbt imports nothing of ours."""
    environment = lake_environment(settings)
    del environment["PYTHONPATH"]
    project = str(settings.root / "dbt_project")
    state = settings.home / "dbt"
    return {
        **environment,
        "DBT_PROJECT_DIR": project,
        "DBT_PROFILES_DIR": project,
        "DBT_TARGET_PATH": str(state / "target"),
        "DBT_LOG_PATH": str(state / "logs"),
    }
