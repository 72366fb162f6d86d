"""`millrace quarantine`: the records that landing refused, and what becomes of them."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from millrace.cli.moments import Since
from millrace.cli.produce import PERCENT, Share
from millrace.cli.quarantine_options import (
    PositionType,
    class_option,
    datasets_option,
    json_option,
    since_option,
)
from millrace.contracts import find, load_contracts
from millrace.contracts.names import OPEN, QUARANTINE_STATES
from millrace.landing.reasons import Rejected
from millrace.quarantine.records import Position, Selection
from millrace.settings import load

if TYPE_CHECKING:
    from millrace.quarantine.replay import Replayed


@click.group()
def quarantine() -> None:
    """Look at the records that landing refused, replay, discard or publish them."""


@quarantine.command("list")
@datasets_option
@class_option("--reason", "--class")
@click.option(
    "--status",
    "statuses",
    type=click.Choice(QUARANTINE_STATES),
    multiple=True,
    help="Only in this state.",
)
@since_option
@click.option(
    "--limit",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    help="Newest records; 0 for counts alone.",
)
@json_option
def list_(
    datasets: tuple[str, ...],
    reasons: tuple[str, ...],
    statuses: tuple[str, ...],
    since: datetime | None,
    limit: int,
    as_json: bool,
) -> None:
    """Count the records by class and state, and list the newest."""
    from millrace.lake import catalog
    from millrace.quarantine.counts import count_classes, newest
    from millrace.quarantine.show import summary

    selection = Selection(datasets, reasons, statuses, since)
    lake = catalog()
    counts = count_classes(lake, selection)
    records = newest(lake, selection, limit) if limit else []
    if as_json:
        report = {
            "counts": [{**asdict(each), "newest": each.newest.isoformat()} for each in counts],
            "records": [summary(each) for each in records],
        }
        click.echo(json.dumps(report))
        return
    for each in counts:
        told = f"{each.dataset:16} {each.reason:16} {each.status:10} {each.records:9,}"
        click.echo(f"{told}  newest {each.newest:%Y-%m-%d %H:%M:%S}")
    if not counts:
        click.echo("no such record is in quarantine")
    for record in records:
        told = f"{record.position!s:24} {record.status:10} {record.reason:16}"
        click.echo(f"{told} {record.detail[:100]}")


@quarantine.command()
@click.argument("position", type=PositionType())
@json_option
def show(position: Position, as_json: bool) -> None:
    """Show one record: its bytes, its fault, and what its contract says of it today."""
    from millrace.lake import catalog
    from millrace.quarantine.records import records_at
    from millrace.quarantine.show import describe, page

    contracts = load_contracts()
    for record in records_at(catalog(), position):
        told = describe(record, contracts.get(record.dataset), _registry())
        click.echo(json.dumps(told) if as_json else page(told))


@quarantine.command()
@click.argument("positions", type=PositionType(), nargs=-1)
@datasets_option
@class_option("--reason", "--class")
@since_option
@click.option("--all", "everything", is_flag=True, help="Everything that is open.")
@click.option(
    "--value",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A corrected value for the one POSITION: one JSON record, or its exact bytes.",
)
def replay(
    positions: tuple[Position, ...],
    datasets: tuple[str, ...],
    reasons: tuple[str, ...],
    since: datetime | None,
    everything: bool,
    file: Path | None,
) -> None:
    """Judge records again, and land those that are good now: once, however often it is repeated.

    Named positions are replayed whatever their state, else what is open.
    """
    from millrace.lake import catalog
    from millrace.quarantine.replay import Replay

    if file is not None:
        if len(positions) != 1 or datasets or reasons or since or everything:
            raise click.UsageError("--value corrects one record: name its position, nothing else")
        _replay_corrected(positions[0], file)
        return
    if not (positions or datasets or reasons or since or everything):
        raise click.UsageError("say which: POSITIONS, --dataset, --reason, --since or --all")
    contracts = load_contracts()
    for dataset in datasets:
        find(dataset, contracts)
    selection = Selection(datasets, reasons, () if positions else (OPEN,), since, positions)
    done = Replay(catalog(), contracts, _registry()).run(selection, click.echo)
    _tell(done)


@quarantine.command()
@click.argument("positions", type=PositionType(), nargs=-1)
@click.option("--reason", required=True, help="Why they will never land; kept with the record.")
@datasets_option
@class_option("--class")
@since_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def discard(
    positions: tuple[Position, ...],
    reason: str,
    datasets: tuple[str, ...],
    reasons: tuple[str, ...],
    since: datetime | None,
    yes: bool,
) -> None:
    """Settle open records that will never land; they stay in quarantine, with the reason."""
    from millrace.lake import catalog
    from millrace.quarantine.discard import discard as settle

    if not reason.strip():
        raise click.UsageError("--reason is empty: say why they will never land")
    if not (positions or datasets or reasons or since):
        raise click.UsageError("say which: POSITIONS, --dataset, --class or --since")
    if not positions and not yes:
        click.confirm("Discard every open record that is selected?", abort=True)
    selection = Selection(datasets, reasons, (OPEN,), since, positions)
    count = settle(catalog(), load_contracts(), selection, reason)
    click.echo(f"{count} discarded")


@quarantine.command()
@datasets_option
def publish(datasets: tuple[str, ...]) -> None:
    """Publish the open records as dead letters, each once: topic `<topic>.dlq`."""
    from millrace.lake import catalog
    from millrace.quarantine.publication import publish_open

    contracts = load_contracts()
    chosen = [find(name, contracts) for name in datasets] or list(contracts.values())
    for contract in chosen:
        published = publish_open(load(), catalog(), contract)
        if published is not None:
            click.echo(f"{contract.topic}.dlq: {published} new dead letters")


@quarantine.command()
@datasets_option
@click.option("--since", type=Since(), default="1h", show_default=True, help="1h, 7d, or a time.")
@click.option("--max-share", type=Share(), help="Instead of each contract's maxBadPercent: 5%.")
@click.option("--at-least", default=20, show_default=True, help="Fewer bad records are no verdict.")
def check(
    datasets: tuple[str, ...], since: datetime, max_share: float | None, at_least: int
) -> None:
    """Fail where more of a stream is bad than its contract bears."""
    from millrace.lake import catalog
    from millrace.quarantine.counts import refuse_bad, shares

    contracts = load_contracts()
    chosen = [find(name, contracts) for name in datasets] or list(contracts.values())
    most = None if max_share is None else max_share * PERCENT
    found = shares(catalog(), chosen, since, most)
    for each in found:
        click.echo(str(each))
    refuse_bad(found, at_least)


def _replay_corrected(position: Position, file: Path) -> None:
    from millrace.lake import catalog
    from millrace.quarantine.corrected import read_value
    from millrace.quarantine.errors import StillBadError
    from millrace.quarantine.records import records_at
    from millrace.quarantine.replay import Replay

    contracts = load_contracts()
    record = records_at(catalog(), position)[-1]
    value = read_value(file, find(record.dataset, contracts), load())
    done = Replay(catalog(), contracts, _registry()).one(record, value)
    if isinstance(done, Rejected):
        raise StillBadError(str(file), record.dataset, str(done.reason), done.detail)
    _tell({record.dataset: done})


def _tell(done: dict[str, Replayed]) -> None:
    """Say what was replayed, then fail for what could not be."""
    from millrace.quarantine.errors import NotLandedYetError, PositionTakenError

    for dataset, each in done.items():
        still = "".join(f", {count} still {reason}" for reason, count in each.bad.items())
        click.echo(f"{dataset}: {each.landed} landed, {each.present} were in raw already{still}")
    if not done:
        click.echo("no such record is open")
    if taken := sorted(place for each in done.values() for place in each.taken):
        raise PositionTakenError(taken)
    if waiting := sorted(place for each in done.values() for place in each.waiting):
        raise NotLandedYetError(waiting)


def _registry() -> Any:
    from millrace.landing.schemas import Registry

    return Registry(load().registry.url)
