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
from millrace_producers.errors import FileError, Remedy, RowError
from millrace_producers.files import NAME_ANOTHER, Row, open_source
from millrace_producers.ledger import Counts, Ledger
from millrace_producers.progress import Progress
from millrace_producers.publisher import Outgoing, Pace, Publisher
from millrace_producers.values import UnknownField, row_parser

#: Records whose intents are written at once: 500 lines are one system call of 70 kB.
BATCH = 500
#: What --allow-bad lets through: values of the right type that break a rule.
RULES = frozenset({Reason.OUT_OF_RANGE, Reason.NOT_ALLOWED, Reason.BAD_FORMAT, Reason.BROKEN_RULE})
EXAMPLES = {
    "string": 'text: "abc"',
    "int": "a whole number: 12",
    "long": "a whole number: 12",
    "float": "a number: 12.5",
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
    with Progress(f"checking {path.name}") as progress:
        number = 0
        for number, _ in enumerate(records(), start=1):
            progress.show(number)
    if not number:
        raise FileError(str(path), "it holds no record", f"head {path}  # {NAME_ANOTHER}")
    producer = client.make_producer(settings)
    client.require_topics(producer, settings, {contract.topic})
    registry = client.make_registry(settings)
    encode = make_encoder(contract, registry, client.require_schema(registry, settings, contract))
    if options.allow_bad:
        # Behind the rule that a record breaks there may be a value that Avro can not hold.
        for place, record in records():
            encode_row(contract, encode, place, record)
    if _fingerprint(path) != before:
        raise FileError(str(path), "it changed while it was checked", f"ls -l {path}  # then again")
    ledger, total = Ledger(settings.ledger), number * options.repeat
    with Publisher(producer, ledger) as publisher, Progress(contract.dataset, total) as progress:
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
                place = f"{path}:1" if source.is_text else row.place  # the header's fault
                raise _unknown_field(contract, place, unknown) from None
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
    by_path = {path: field for each in contract.fields for path, field in _paths(each, "")}
    field = by_path.get(name)
    is_absent = rejected.reason is Reason.MISSING_FIELD and "." not in name
    cause = f"{name} is absent" if is_absent and name not in row.values else rejected.detail
    kind: Remedy = "mend_or_allow" if rejected.reason in RULES else "mend"
    return RowError(row.place, name, cause, _remedy(rejected.reason, field), kind)


def _remedy(reason: Reason, field: Field | None) -> str:
    if reason is Reason.MISSING_FIELD:
        return "give it a value; the contract says it is required"
    if reason is Reason.WRONG_TYPE and field is not None:
        example = EXAMPLES.get(field.type, f'a {field.type} in quotes: "12.50"')
        return f"write it as {example}"
    if reason is Reason.NOT_ALLOWED and field is not None:
        return f"use one of {', '.join(field.enum)}"
    return "mend it, or leave the row out"


def _unknown_field(contract: Contract, place: str, unknown: UnknownField) -> RowError:
    cause = f"the contract of {contract.dataset} has no such field"
    remedy = (
        f"remove it, rename it to one of {', '.join(unknown.known)}, or add it to"
        f" contracts/{contract.dataset}.yaml and run make apply"
    )
    return RowError(place, unknown.field, cause, remedy)


def _paths(field: Field, above: str) -> Iterator[tuple[str, Field]]:
    """Dotted name of a field and of every field in it, as the validator names them."""
    path = f"{above}{field.name}"
    yield path, field
    inner = field.items.fields if field.items else field.fields
    for each in inner:
        yield from _paths(each, f"{path}.")


def _fingerprint(path: Path) -> tuple[int, int]:
    stat = os.stat(path)
    return stat.st_size, stat.st_mtime_ns
