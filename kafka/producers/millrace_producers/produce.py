"""Publish the records of a file: check all of it, then send.

The check costs one pass more over the file and buys that nothing is sent of a file with a fault.
Records are judged by the validator that landing uses, so what passes here is not quarantined.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from millrace.contracts import Contract, Field
from millrace.landing.reasons import Reason, Rejected
from millrace.landing.validator import compile_contract
from millrace.settings import Settings
from millrace_producers import client
from millrace_producers.encoding import Encoder, Record, make_encoder, record_key
from millrace_producers.errors import FileError, RowError
from millrace_producers.files import Row, open_source
from millrace_producers.ledger import Counts, Ledger
from millrace_producers.progress import Progress
from millrace_producers.publisher import Outgoing, Pace, Publisher
from millrace_producers.values import UnknownField, row_parser

#: Records whose intents are written at once: 500 lines are one system call of 70 kB.
BATCH = 500
#: What --allow-bad lets through: values of the right type that break a rule.
RULES = frozenset({Reason.OUT_OF_RANGE, Reason.NOT_ALLOWED, Reason.BAD_FORMAT})
REMEDIES = {
    Reason.MISSING_FIELD: "give it a value; the contract says it is required",
    Reason.WRONG_TYPE: "write it as {wanted}",
    Reason.UNDECODABLE: "write it as text in UTF-8",
}
RULE_REMEDY = "mend it, or send it all the same, into quarantine: --allow-bad"
EXAMPLES = {
    "string": 'text: "abc"',
    "int": "a whole number: 12",
    "long": "a whole number: 12",
    "double": "a number: 12.5",
    "boolean": "true or false",
    "date": "a date: 2026-05-04",
    "timestamp": "a time: 2026-05-04T10:30:00Z",
    "array": "a JSON array: [...]",
    "struct": "a JSON object: {...}",
}


@dataclass(frozen=True)
class Options:
    """How a file is sent.

    Attributes:
        limit: only so many records of the file.
        repeat: the file so many times.
        rate: at most so many records a second.
        allow_bad: also records that break a rule of the contract.
    """

    limit: int | None = None
    repeat: int = 1
    rate: float | None = None
    allow_bad: bool = False


def produce_file(
    settings: Settings, contract: Contract, path: Path, options: Options
) -> tuple[Counts, Path]:
    """Send every record of a file.

    Returns:
        What became of them, and the ledger of this run.

    Raises:
        FileError: the file has a fault; nothing was sent.
        MillraceError: a service is away, or not every record was acknowledged.
    """
    records = checked_records(contract, path, options)
    before = _fingerprint(path)
    number = sum(1 for _ in records()) * options.repeat
    if not number:
        raise FileError(str(path), "it holds no record", "name a file with at least one record")
    producer = client.make_producer(settings)
    client.require_topics(producer, settings, {contract.topic})
    registry = client.make_registry(settings)
    client.require_schema(registry, settings, contract)
    encode = make_encoder(contract, registry)
    if _fingerprint(path) != before:
        raise FileError(str(path), "it changed while it was checked", "run the same command again")
    ledger = Ledger(settings.ledger)
    with Publisher(producer, ledger) as publisher, Progress(contract.dataset, number) as progress:
        everything = chain.from_iterable(records() for _ in range(options.repeat))
        outgoing = (encode_row(contract, encode, *each) for each in everything)
        send_paced(publisher, outgoing, progress, options.rate)
        publisher.finish(progress)
        return publisher.total, ledger.path


def send_paced(
    publisher: Publisher, outgoing: Iterator[Outgoing], progress: Progress, rate: float | None
) -> int:
    """Send in batches, no faster than the rate. Returns how many were sent."""
    # At a low rate the batch shrinks, so that records leave ten times a second.
    size = BATCH if rate is None else max(1, min(BATCH, int(rate / 10)))
    pace, sent = Pace(rate), 0
    while batch := list(islice(outgoing, size)):
        while (wait := pace.seconds_until(sent)) > 0:
            publisher.poll(wait)
        publisher.send(batch)
        sent += len(batch)
        progress.show(sent)
    return sent


def checked_records(
    contract: Contract, path: Path, options: Options
) -> Callable[[], Iterator[tuple[str, Record]]]:
    """A function that reads the file from its beginning: place and record of each row.

    The iterator raises RowError at the first row that does not fit the contract.
    """
    source = open_source(path)
    parse = row_parser(contract.fields, text=source.is_text)
    judge = compile_contract(contract)

    def records() -> Iterator[tuple[str, Record]]:
        for row in islice(source.rows(), options.limit):
            try:
                record = parse(row.values)
            except UnknownField as unknown:
                raise _unknown_field(contract, row, unknown) from None
            try:
                judge(record)
            except Rejected as rejected:
                if not (options.allow_bad and rejected.reason in RULES):
                    raise _row_error(contract, row, rejected) from None
            yield row.place, record

    return records


def encode_row(contract: Contract, encode: Encoder, place: str, record: Record) -> Outgoing:
    """The record as it is sent.

    Raises:
        RowError: Avro can not hold it, which only a record let through by --allow-bad can cause.
    """
    try:
        value = encode(record)
    except (TypeError, ValueError, OverflowError) as error:
        cause = f"it can not be written as {contract.format}: {error}"
        raise RowError(place, "", cause, "mend it, or leave it out") from error
    return Outgoing(contract.dataset, contract.topic, record_key(contract, record), value)


def _row_error(contract: Contract, row: Row, rejected: Rejected) -> RowError:
    name = rejected.field or ""
    kinds = {path: kind for field in contract.fields for path, kind in _paths(field, "")}
    wanted = EXAMPLES.get(kinds.get(name, ""), "the contract says")
    remedy = REMEDIES.get(rejected.reason, RULE_REMEDY).format(wanted=wanted)
    return RowError(row.place, name, rejected.detail, remedy)


def _unknown_field(contract: Contract, row: Row, unknown: UnknownField) -> RowError:
    cause = f"the contract of {contract.dataset} has no such field"
    remedy = (
        f"remove it, rename it to one of {', '.join(unknown.known)}, or add it to"
        f" contracts/{contract.dataset}.yaml and run: make apply"
    )
    return RowError(row.place, unknown.field, cause, remedy)


def _paths(field: Field, above: str) -> Iterator[tuple[str, str]]:
    """Dotted name and type of a field and of every field in it, as the validator names them."""
    path = f"{above}{field.name}"
    yield path, field.type
    inner = field.items.fields if field.items else field.fields
    for each in inner:
        yield from _paths(each, f"{path}.")


def _fingerprint(path: Path) -> tuple[int, int]:
    stat = os.stat(path)
    return stat.st_size, stat.st_mtime_ns
