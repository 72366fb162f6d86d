"""`python -m millrace.cluster.docker.inside COMMAND...`: a command in the cluster's network.

For what the host can not do itself: it has no Java, and YARN's nodes are not where it would look.
Paths of the clone become those of the image; the code there is the clone's own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from millrace.cluster.docker.containers import containers
from millrace.cluster.docker.engine import client
from millrace.cluster.docker.project import Project, read_overlays
from millrace.errors import MillraceError
from millrace.settings import load

#: It has Spark, the code and the secrets.
_SERVICE = "airflow-scheduler"
_ROOT = "/opt/millrace"
#: What the user may set for the command.
_PASSED = ("SPARK_DRIVER_MEMORY",)


def command(words: Sequence[str], root: Path) -> list[str]:
    """The words as they are inside; the first is a program there.

    Raises:
        MillraceError: one is a file that only the host has.
    """
    return [*words[:1], *(_word(word, root) for word in words[1:])]


def _word(word: str, root: Path) -> str:
    option, equals, value = word.partition("=")
    if equals and option.startswith("-"):
        return f"{option}={_word(value, root)}"
    if "," in word:
        return ",".join(_word(each, root) for each in word.split(","))
    # Not Path.is_file: it raises on a word that is too long for a name.
    if word.startswith("-") or not os.path.isfile(word):
        return word
    path = Path(word)
    try:
        return f"{_ROOT}/{path.resolve().relative_to(root)}"
    except ValueError:
        cause = "the containers see the clone only"
        remedy = f"cp {path} {root}/spark_jobs/batch/  # and submit it from there"
        raise MillraceError(str(path), cause, remedy) from None


def main() -> None:
    """Become the command."""
    try:
        settings = load()
        found = containers(Project(settings, read_overlays(settings.home)).name).get(_SERVICE)
        if not found or not found.is_running:
            raise MillraceError(f"service {_SERVICE}", "is not running", "make up")
        words = command(sys.argv[1:], settings.root)
    except MillraceError as error:
        sys.exit(f"error: {error}")
    passed = [f"--env={name}={os.environ[name]}" for name in _PASSED if name in os.environ]
    # With a terminal Ctrl-C reaches the command; without one nothing would.
    terminal = ["--tty"] if sys.stdin.isatty() and sys.stdout.isatty() else []
    options = ["--interactive", *terminal, *passed, found.id]
    os.execv(client(), ["docker", "exec", *options, *words])  # noqa: S606 - the command itself


if __name__ == "__main__":
    main()
