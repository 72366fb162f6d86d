"""`millrace verify`: the proof that nothing was lost and nothing doubled, or the difference."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console

from millrace.cli import explain
from millrace.cli.moments import Since
from millrace.cluster.runtime import collect
from millrace.errors import MillraceError
from millrace.settings import Settings, load

#: As in `millrace.verify.run`, which is not imported for `--help`.
ENGINES = ("pyiceberg", "trino", "spark")
WAIT_S = 60.0
#: Where nothing could be judged: 1 is a finding, 2 is click's for wrong usage.
NOT_JUDGED = 3


class Engines(click.ParamType[tuple[str, ...]]):
    """Names of engines, a comma between two."""

    name = "engines"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """The names, each known."""
        names = value if isinstance(value, tuple) else tuple(str(value).split(","))
        for name in names:
            if name not in ENGINES:
                self.fail(f"{name!r} is none of {', '.join(ENGINES)}", param, ctx)
        return names


def _below_a_folder(
    context: click.Context, param: click.Parameter, value: Path | None
) -> Path | None:
    """Refuse a place below a file before minutes are spent on a proof that goes nowhere."""
    if value is not None and (file := next((up for up in value.parents if up.is_file()), None)):
        raise click.BadParameter(f"{file} is a file, not a folder", context, param)
    return value


@click.command()
@click.option("--dataset", "datasets", multiple=True, help="Only this one; may be repeated.")
@click.option("--since", type=Since(), help="Only records of then or later: 1h, 7d, or a time.")
@click.option(
    "--engines",
    type=Engines(),
    default=",".join(ENGINES),
    show_default=True,
    help="Whose counts and checksums have to agree.",
)
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(0),
    default=WAIT_S,
    show_default=True,
    help="Seconds that landing may take for what the topics hold now; 0 judges at once.",
)
@click.option(
    "--receipt",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    callback=_below_a_folder,
    help="Where the JSON receipt goes.",
)
def verify(
    datasets: tuple[str, ...],
    since: datetime | None,
    engines: tuple[str, ...],
    wait_s: float,
    receipt: Path | None,
) -> None:
    """Prove that every acknowledged record is landed or quarantined once, unchanged.

    Reads the producers' ledger, the topics and the files of the tables, by a path that shares no
    code with the writer. Exits with 0 where nothing is found, 1 where something is, 2 for wrong
    usage, 3 where it could not judge, as where a service does not answer: then there is no receipt.
    """
    from millrace.verify.run import sources_of
    from millrace.verify.run import verify as judge
    from millrace.verify.subject import subjects

    with _judging():
        settings = load()
        sources = sources_of(settings, lambda: collect(settings))
        chosen = subjects(settings, datasets, since)
        with Console(stderr=True).status("") as status:
            report = judge(
                chosen, settings, engines, wait_s=wait_s, sources=sources, say=status.update
            )
        for line in report.lines():
            click.echo(line)
        click.echo(f"receipt: {_write(settings, report.to_json(), receipt)}")
    sys.exit(0 if report.ok else 1)


@contextmanager
def _judging() -> Iterator[None]:
    """Have an error that keeps it from a receipt end the command with `NOT_JUDGED`."""
    try:
        yield
    except MillraceError as error:
        error.exit_code = NOT_JUDGED
        raise
    except OSError as error:
        known = explain(error)
        if known is None:
            raise
        known.exit_code = NOT_JUDGED
        raise known from error


def _write(settings: Settings, text: str, path: Path | None) -> Path:
    """Write the receipt where it was asked for, else below the state folder."""
    now = datetime.now(UTC)
    path = path or settings.home / "verify" / f"{now:%Y%m%dT%H%M%S.%f}Z.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
