"""Each remedy can be pasted into a shell as it is printed; prose stands behind a `#`."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest

from millrace.cli import cli

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = ROOT / "tests" / "golden" / "errors"
OURS = {"make", "bin/millrace"}
TOOLS = {
    "cat",
    "chmod",
    "df",
    "docker",
    "du",
    "file",
    "git",
    "gunzip",
    "head",
    "iconv",
    "ls",
    "mv",
    "ps",
}
TOOLS |= {"python3", "rm", "sed", "sudo", "unzip"}
#: An error is mended; a finding of the verifier is gone on with.
REMEDY = r"^ *to (?:mend it|go on): (.*)$"
BUILT_IN = {"cd", "export", "unset"}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))


def remedies() -> list[tuple[str, str]]:
    """Name of the golden file and remedy, of every error in it."""
    return [
        (file.stem, remedy)
        for file in sorted(GOLDEN.glob("*.txt"))
        for remedy in re.findall(REMEDY, file.read_text(), flags=re.MULTILINE)
    ]


def commands(remedy: str) -> list[list[str]]:
    """The words of each command of a remedy, without what is set before it."""
    # A golden file stands for a place of the machine by a word like <folder>.
    words = shlex.split(re.sub(r"<(\w+)>", r"/\1", remedy), comments=True)
    found: list[list[str]] = [[]]
    for word in words:
        if word in ("&&", "|"):
            found.append([])
        elif found[-1] or not re.match(r"[A-Z_0-9]+=", word):
            found[-1].append(word)
    return found


def require_usage(words: list[str]) -> None:
    """See that a command of Millrace and its options are there."""
    command: click.Command = cli
    context = click.Context(command)
    rest = list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        found = command.get_command(context, rest.pop(0))
        assert found, f"there is no such command: {words}"
        command = found
    names = {"--help"}.union(*([*each.opts, *each.secondary_opts] for each in command.params))
    used = {word.partition("=")[0] for word in rest if word.startswith("-")}
    assert used <= names, f"there are no such options: {words}"


def is_script(word: str) -> bool:
    """Whether it is a script of the repository."""
    return word.startswith("scripts/") and (ROOT / word).is_file()


def test_every_error_has_a_remedy() -> None:
    assert {name for name, _ in remedies()} == {file.stem for file in GOLDEN.glob("*.txt")}


@pytest.mark.parametrize(("name", "remedy"), remedies(), ids=[name for name, _ in remedies()])
def test_a_remedy_is_a_command(name: str, remedy: str) -> None:
    parsed = subprocess.run(["/bin/sh", "-nc", remedy], check=False, capture_output=True, text=True)
    assert parsed.returncode == 0, parsed.stderr
    for first, *rest in commands(remedy):
        assert first in OURS | TOOLS | BUILT_IN or is_script(first), first
        # What prose in a command looks like: `make up, or make status`.
        assert not [word for word in (first, *rest) if word.endswith((",", ";"))]
        if first == "make":
            assert {word for word in rest if "=" not in word} <= TARGETS
        if first == "bin/millrace":
            require_usage(rest)


@pytest.mark.parametrize("words", [["landing", "mend"], ["landing", "start", "--now"]])
def test_a_command_or_an_option_that_is_not_there_is_no_remedy(words: list[str]) -> None:
    with pytest.raises(AssertionError, match=r"there (is|are) no such"):
        require_usage(words)
