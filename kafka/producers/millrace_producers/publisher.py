"""Send records and keep the ledger: the only place that calls the broker.

For each batch the order is fixed: write the intents, hand the records to the client, take the
outcomes that have arrived, write them. A record whose answer was lost is `unknown`, not refused:
only errors that prove the broker does not have it are refusals.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from functools import partial
from types import TracebackType
from typing import NamedTuple

from confluent_kafka import (
    TIMESTAMP_NOT_AVAILABLE,
    KafkaError,
    KafkaException,
    Message,
    Producer,
)

from millrace.errors import MillraceError, TransientError
from millrace_producers.ledger import Counts, Intent, Ledger, State
from millrace_producers.progress import Progress

#: The broker, or the client before it sent anything, said no to this record.
REFUSALS = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_MSG,
        KafkaError.INVALID_RECORD,
        KafkaError.INVALID_TIMESTAMP,
        KafkaError.INVALID_REQUIRED_ACKS,
        KafkaError.POLICY_VIOLATION,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError._PURGE_QUEUE,
    }
)
#: Waiting for room in the client's queue, and for the last answers.
POLL_SECONDS = 0.5


class Outgoing(NamedTuple):
    """A record ready to be sent."""

    dataset: str
    topic: str
    key: bytes | None
    value: bytes


class Place(NamedTuple):
    """Where the broker has a record, and the time that it has there in milliseconds."""

    partition: int
    offset: int
    at_ms: int | None


class Publisher:
    """Sends batches of records under one ledger.

    Not thread-safe. `finish` waits for every answer; leaving the context closes the ledger and
    loses nothing: what was not answered by then is unknown.
    """

    def __init__(self, producer: Producer, ledger: Ledger) -> None:
        self._producer = producer
        self._ledger = ledger
        self._headers: list[tuple[str, str | bytes | None]] = [("millrace-run", ledger.run_id)]
        self._first_failure = ""
        self.counts: dict[str, Counts] = {}

    def __enter__(self) -> Publisher:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ledger.close()

    @property
    def total(self) -> Counts:
        """Outcomes so far, over all datasets."""
        columns = zip(*self.counts.values(), strict=True)
        return Counts(*(sum(column) for column in columns))

    @property
    def waiting(self) -> int:
        """Records whose answer has not come."""
        return len(self._producer)

    def send(self, batch: Sequence[Outgoing]) -> None:
        """Write the intents of a batch, then send it; returns when the client has taken it.

        Raises:
            LedgerError: the ledger can not be written; nothing of the batch was sent.
            TransientError: the client has given up on this broker.
        """
        numbers = self._ledger.intend(
            [
                Intent(record.dataset, record.topic, hashlib.sha256(record.value).hexdigest())
                for record in batch
            ]
        )
        for number, record in zip(numbers, batch, strict=True):
            self._hand_over(number, record)
        self.poll()

    def poll(self, seconds: float = 0) -> None:
        """Take the answers that have come, wait for one at most so long, and write them."""
        self._producer.poll(seconds)
        self._ledger.flush()

    def finish(self, progress: Progress | None = None) -> None:
        """Wait for every answer; the client gives up after `delivery.timeout.ms`.

        Raises:
            MillraceError: not every record was acknowledged; says how many and why.
        """
        self._drain(progress)
        total = self.total
        if total.acknowledged != total.intended:
            raise MillraceError(
                f"{total.refused + total.unknown:,} of {total.intended:,} records",
                f"{total.refused:,} were refused, the fate of {total.unknown:,} is unknown; the"
                f" first: {self._first_failure}",
                f"make status  # then send them again; {self._ledger.path} says which",
            )

    def _drain(self, progress: Progress | None) -> None:
        """Wait for every answer."""
        while self.waiting:
            self._producer.flush(POLL_SECONDS)
            self._ledger.flush()
            if progress:
                progress.show(self.total.acknowledged, f"waiting for {self.waiting:,} answers")
        self.poll()

    def _hand_over(self, number: int, record: Outgoing) -> None:
        settle = partial(self._settle, record.dataset, number)
        while True:
            try:
                self._producer.produce(
                    record.topic,
                    key=record.key,
                    value=record.value,
                    headers=self._headers,
                    on_delivery=settle,
                )
                return
            except BufferError:
                # The client's queue is full: the broker is slower than we are, or away.
                self.poll(POLL_SECONDS)
            except KafkaException as error:
                cause = error.args[0]
                if cause.code() not in REFUSALS:
                    raise TransientError(
                        f"sending to topic {record.topic}",
                        f"the client has given up ({cause.str()})",
                        "make status  # then run the same command again",
                    ) from error
                self._note_failure(record.dataset, number, cause)
                return

    def _settle(
        self, dataset: str, number: int, error: KafkaError | None, message: Message
    ) -> None:
        if error is not None:
            self._note_failure(dataset, number, error)
            return
        partition, offset = message.partition(), message.offset()
        assert partition is not None
        assert offset is not None
        kind, at_ms = message.timestamp()
        told = None if kind == TIMESTAMP_NOT_AVAILABLE else at_ms
        self._acknowledged(dataset, number, Place(partition, offset, told))

    def _acknowledged(self, dataset: str, number: int, place: Place) -> None:
        """The broker has the record there."""
        self._ledger.acknowledge(number, *place)
        self.counts[dataset] = self.counts.get(dataset, Counts()).plus("acknowledged")

    def _note_failure(self, dataset: str, number: int, error: KafkaError) -> None:
        why = f"{error.name()}: {error.str()}"
        self._first_failure = self._first_failure or why
        self._fail(dataset, number, "refused" if error.code() in REFUSALS else "unknown", why)

    def _fail(self, dataset: str, number: int, state: State, why: str) -> None:
        self._ledger.fail(number, state, why)
        self.counts[dataset] = self.counts.get(dataset, Counts()).plus(state)


class Pace:
    """Holds a sender to a number of records a second, counted from its making."""

    def __init__(self, per_second: float | None) -> None:
        self._per_second = per_second
        self._started = time.monotonic()

    def seconds_until(self, sent: int) -> float:
        """How long to wait before the next record, where so many were sent already."""
        if self._per_second is None:
            return 0.0
        return max(0.0, self._started + sent / self._per_second - time.monotonic())
