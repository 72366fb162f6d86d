"""The help of the command line: each option is explained in a sentence."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from millrace.cli import cli


def options(command: click.Command, path: str = "millrace") -> Iterator[tuple[str, click.Option]]:
    """Every option of a command and of those below it, by its place."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found
            yield from options(found, f"{path} {name}")
    for each in command.params:
        if isinstance(each, click.Option):
            yield f"{path} {each.opts[0]}", each


OPTIONS = dict(options(cli))


def test_there_are_options() -> None:
    assert {"millrace verify --since", "millrace landing stop --timeout"} <= set(OPTIONS)


@pytest.mark.parametrize("place", OPTIONS)
def test_an_option_is_explained_in_a_sentence(place: str) -> None:
    text = OPTIONS[place].help or ""
    assert text[:1].isupper() or text[:1].isdigit()
    assert text.endswith(".")
