"""`millrace bench`: how fast, beside what else there is, on a cluster of its own."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import click

from millrace.cli.beds import BENCH, run_on_own_cluster
from millrace.errors import MillraceError
from millrace.settings import load

ROWS = 1_000_000
RATES = "5000,30000"
NAMES = ("millrace", "spark", "connect", "pyiceberg")


def _checked(_: click.Context, __: click.Parameter, rates: str) -> str:
    """Rates are found to be numbers before a cluster is started for them."""
    if not all(each.isdecimal() and int(each) for each in rates.split(",") if rates):
        raise click.BadParameter("write whole numbers with commas between them: 5000,30000")
    return rates


@click.group()
def bench() -> None:
    """Measure on a cluster of its own, which is removed afterwards."""


@bench.command()
@click.option(
    "--rows",
    type=click.IntRange(1),
    default=ROWS,
    show_default=True,
    help="Records that each contestant drains.",
)
@click.option("--only", help=f"Only these of {','.join(NAMES)}.")
@click.option(
    "--rates",
    default=RATES,
    show_default=True,
    callback=_checked,
    help="Rows a second at which freshness is measured; '' for none.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    default=60.0,
    show_default=True,
    help="How long each rate is held.",
)
@click.option("--keep", is_flag=True, help="Use the cluster that is there, and leave it running.")
def ingest(rows: int, only: str | None, rates: str, seconds: float, keep: bool) -> None:
    """Drain one topic by four contestants; then see how soon a query finds new records.

    The cluster is a native one of its own (.millrace-bench). Figures go to `bench/` of the state
    folder. Kafka Connect is an optional part: `python3 -m millrace.dist connect`.
    """
    for name in only.split(",") if only else ():
        if name not in NAMES:
            cause = f"there is no such contestant; there are {', '.join(NAMES)}"
            raise MillraceError(f"contestant {name}", cause, "bin/millrace bench ingest --help")
    settings = load()
    out = settings.home / "bench" / f"ingest-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    command = ["-m", "millrace.bench", f"--rows={rows}", f"--only={only or ''}"]
    command += [f"--rates={rates}", f"--seconds={seconds}", f"--out={out}"]
    sys.exit(run_on_own_cluster(settings, BENCH, command, keep=keep))
