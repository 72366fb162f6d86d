"""Send the generated sample: several datasets at once, good and bad records in their order.

Sending it again sends every record again: that is for the reader of raw to see, and for processing
to make one of. A task that is tried again must not, so it names what it sends (`once`), and
whatever is sent under one name is there once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from confluent_kafka.schema_registry import SchemaRegistryClient

from millrace.contracts import Contract
from millrace.settings import Settings
from millrace_producers import client
from millrace_producers.encoding import Encoder, Record, make_encoder, record_key
from millrace_producers.ledger import Counts, Ledger
from millrace_producers.once import OncePublisher, Transaction
from millrace_producers.produce import BATCH, send_paced
from millrace_producers.progress import Progress
from millrace_producers.publisher import Outgoing, Publisher
from millrace_producers.sample.bad import BadRecord, encode_bad
from millrace_producers.sample.files import read_manifest, read_sample


def publish_sample(
    settings: Settings,
    contracts: Iterable[Contract],
    rate: float | None = None,
    once: str = "",
) -> tuple[dict[str, Counts], Path | None]:
    """Send the sample of these datasets.

    Args:
        rate: records a second at most.
        once: a name; where the sample was sent under it already, nothing is sent.

    Returns:
        What became of the records of each dataset, and the ledger of this run; None where there
        was nothing to send.

    Raises:
        MillraceError: there is no sample, a service is away, or not every record was acknowledged.
    """
    chosen = list(contracts)
    numbers = read_manifest(settings.sample)["datasets"]
    total = sum(
        numbers[each.dataset]["records"] + sum(numbers[each.dataset]["bad"].values())
        for each in chosen
    )
    encoders = connect(settings, chosen)
    transaction = Transaction(settings, once, chosen[0].topic) if once else None
    producer = client.make_producer(settings, transaction.overrides if transaction else None)
    client.require_topics(producer, settings, {each.topic for each in chosen})
    if transaction and not transaction.begin(producer):
        return {}, None
    streams = [_outgoing(settings, each, encoders[each.dataset]) for each in chosen]
    ledger = Ledger(settings.ledger)
    publisher = (
        OncePublisher(producer, ledger, transaction) if transaction else Publisher(producer, ledger)
    )
    with publisher, Progress("sample", total) as progress:
        send_paced(publisher, take_turns(streams), progress, rate)
        publisher.finish(progress)
        return publisher.counts, ledger.path


def connect(settings: Settings, contracts: Iterable[Contract]) -> dict[str, Encoder]:
    """The encoder of each dataset, once the registry has answered for all of them."""
    return make_encoders(client.make_registry(settings), settings, contracts)


def make_encoders(
    registry: SchemaRegistryClient, settings: Settings, contracts: Iterable[Contract]
) -> dict[str, Encoder]:
    """The same from a registry's client that the caller closes."""
    encoders = {}
    for contract in contracts:
        schema_id = client.require_schema(registry, settings, contract)
        encoders[contract.dataset] = make_encoder(contract, registry, schema_id)
    return encoders


def _outgoing(settings: Settings, contract: Contract, encode: Encoder) -> Iterator[Outgoing]:
    for record in read_sample(settings.sample, contract):
        yield make_outgoing(contract, encode, record)


def make_outgoing(contract: Contract, encode: Encoder, record: Record | BadRecord) -> Outgoing:
    """A good record, or a bad one in its damaged bytes, as it is sent."""
    if isinstance(record, BadRecord):
        key, value = record_key(contract, record.value), encode_bad(contract, encode, record)
    else:
        key, value = record_key(contract, record), encode(record)
    return Outgoing(contract.dataset, contract.topic, key, value)


def take_turns(streams: Iterable[Iterator[Outgoing]]) -> Iterator[Outgoing]:
    """A batch of each stream in turn, until all have ended."""
    waiting = deque(streams)
    while waiting:
        stream = waiting.popleft()
        if batch := list(islice(stream, BATCH)):
            yield from batch
            waiting.append(stream)
