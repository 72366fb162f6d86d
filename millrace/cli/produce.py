"""Commands of the producers: generate, publish, look."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from millrace.contracts import find, load_contracts
from millrace.settings import load

if TYPE_CHECKING:
    from millrace_producers.ledger import Counts

PERCENT = 100

Command = Callable[..., Any]
rate_option = click.option(
    "--rate", type=click.FloatRange(0, min_open=True), help="Records a second at most."
)


class Share(click.ParamType[float]):
    """A share: `0.5%` or `0.005`."""

    name = "share"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The share as a number from 0 to 1."""
        text = str(value)
        try:
            number = float(text.removesuffix("%")) / (PERCENT if text.endswith("%") else 1)
        except ValueError:
            number = -1
        if not 0 <= number <= 1:
            self.fail(f"{text!r} is no share such as 0.5% or 0.005", param, ctx)
        return number


def _size(name: str, most: int, usual: int) -> Callable[[Command], Command]:
    """An option that says how many entities of a kind there are."""
    help_text = f"How many {name} there are."
    kind = click.IntRange(1, most)
    return click.option(f"--{name}", type=kind, default=usual, show_default=True, help=help_text)


@click.command("generate-data")
@_size("customers", 999_999, 1_000)
@_size("products", 99_999, 200)
@_size("locations", 999, 50)
@_size("orders", 9_999_999, 10_000)
@click.option(
    "--seed", type=int, default=42, show_default=True, help="The same one makes the same bytes."
)
@click.option(
    "--bad", type=Share(), default="0.5%", show_default=True, help="Bad ones of all records."
)
def generate_data(
    customers: int, products: int, locations: int, orders: int, seed: int, bad: float
) -> None:
    """Generate the sample data: half a year of a small shop, with a known number of bad records.

    Needs no service. One file a dataset and manifest.json, in the state folder's `sample`.
    """
    from millrace_producers.sample.files import Sizes, write_sample

    settings = load()
    sizes = Sizes(customers, products, locations, orders, seed, bad)
    manifest = write_sample(sizes, load_contracts(settings.contracts), settings.sample)
    for dataset, numbers in manifest["datasets"].items():
        bad_records = sum(numbers["bad"].values())
        click.echo(
            f"{dataset:<12} {numbers['entities']:>9,} in {numbers['records']:>9,} records,"
            f" {bad_records:>5,} bad ones among them"
        )
    click.echo(f"written to {settings.sample}; send them: bin/millrace publish-sample")


@click.command("produce")
@click.argument("dataset")
@click.option(
    "--from",
    "file",
    required=True,
    type=click.Path(path_type=Path),
    help="A file of CSV, JSON lines or Parquet.",
)
@click.option("--limit", type=click.IntRange(1), help="Only so many records of the file.")
@click.option("--repeat", type=click.IntRange(1), default=1, help="Send the file so many times.")
@rate_option
@click.option("--allow-bad", is_flag=True, help="Also send what landing will put in quarantine.")
def produce(
    dataset: str, file: Path, limit: int | None, repeat: int, rate: float | None, allow_bad: bool
) -> None:
    """Publish the records of a file to the topic of DATASET.

    The whole file is checked against the contract before the first record is sent. Nested fields
    stand as JSON text in CSV; a time without a zone is UTC.
    """
    from millrace_producers.errors import RowError
    from millrace_producers.produce import Options, produce_file

    settings = load()
    contract = find(dataset, load_contracts(settings.contracts))
    options = Options(limit, repeat, rate, allow_bad)
    try:
        counts, ledger = produce_file(settings, contract, file, options)
    except RowError as error:
        raise error.then(f"bin/millrace produce {dataset} --from {file}") from None
    _show({dataset: counts}, ledger)


@click.command("publish-sample")
@click.argument("datasets", nargs=-1)
@rate_option
@click.option("--once", default="", metavar="NAME", help="Send it under NAME, once for all tries.")
def publish_sample(datasets: tuple[str, ...], rate: float | None, once: str) -> None:
    """Publish the generated sample data, bad records included: all DATASETS, or those named.

    Doing it again sends every record again. With --once it is one transaction of Kafka under a
    name: a try that died leaves nothing, and one that comes after a success sends nothing.
    """
    from millrace_producers.sample.files import DATASETS
    from millrace_producers.sample.publish import publish_sample as publish

    settings = load()
    known = {
        name: each for name, each in load_contracts(settings.contracts).items() if name in DATASETS
    }
    contracts = [find(dataset, known) for dataset in dict.fromkeys(datasets or DATASETS)]
    if once and rate:
        raise click.UsageError("--rate and --once: a transaction is not to last")
    counts, written = publish(settings, contracts, rate, once)
    if written is None:
        click.echo(f"the sample was published as {once} before: nothing to send")
        return
    _show(counts, written)


@click.command("produce-continuously")
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    default=10,
    show_default=True,
    help="Records a second.",
)
@click.option(
    "--duration", type=click.FloatRange(0, min_open=True), help="So many seconds, not until ^C."
)
def produce_continuously(rate: float, duration: float | None) -> None:
    """Publish live orders and updates, --rate records a second, until ^C or SIGTERM."""
    from millrace_producers import live

    settings = load()
    stop = live.stop_on_signals()
    contracts = load_contracts(settings.contracts)
    _show(*live.produce_continuously(settings, contracts, rate, duration, stop))


@click.command("ledger")
def ledger() -> None:
    """Show what the producers sent and what the broker said of it, by dataset."""
    from millrace.cluster.runtime import collect
    from millrace_producers.ledger import summarise

    settings = load()
    collect(settings)
    counts = summarise(settings.ledger)
    if not counts:
        click.echo(f"{settings.ledger} holds no run yet; the first: bin/millrace publish-sample")
        return
    _show(counts, settings.ledger)


@click.command("consume")
@click.argument("topic")
@click.option(
    "--max", "most", type=click.IntRange(1), default=10, show_default=True, help="Records at most."
)
@click.option("--newest", is_flag=True, help="The newest records instead of the oldest.")
def consume(topic: str, most: int, newest: bool) -> None:
    """Print records of TOPIC, decoded, one line of JSON each."""
    from millrace_producers.plain import read_topic, show

    for record in read_topic(load(), topic, most, newest=newest):
        click.echo(show(record))


def _show(counts: dict[str, Counts], ledger: Path) -> None:
    """Records by dataset and state."""
    for dataset, number in counts.items():
        failed = f", {number.refused:,} refused, {number.unknown:,} unknown"
        is_clean = not (number.refused or number.unknown)
        click.echo(
            f"{dataset:<12} {number.acknowledged:>9,} acknowledged{'' if is_clean else failed}"
        )
    click.echo(f"ledger: {ledger}")
