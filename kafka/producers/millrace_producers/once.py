"""Publish records once, whoever tries and however often: one transaction of Kafka under a name.

The transactional id is made of the name. A later try therefore shuts out (fences) an earlier one
that only seemed dead, and the broker takes back what that one left open. The transaction also
commits an offset for a consumer group of the same name: records and mark become visible together
or not at all. Where a new try finds the mark, an earlier one has published everything, even where
its answer was lost.

The ledger hears of an acknowledgement when the transaction is committed, because what the broker
takes back was never acknowledged. Records whose commit nobody learnt of are unknown.
"""

from __future__ import annotations

import hashlib
import time
from types import TracebackType
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from millrace.errors import MillraceError, TransientError
from millrace.settings import Settings
from millrace_producers import client
from millrace_producers.ledger import Ledger
from millrace_producers.progress import Progress
from millrace_producers.publisher import Place, Publisher

#: The broker takes back a transaction that its producer left open after this time; until then
#: nobody who reads committed records reads past it. A retry comes sooner and takes it back.
OPEN_MS = 120_000
#: To find out what became of a commit whose answer was lost.
COMMIT_SECONDS = 60
#: The transactions of an earlier try may have to be ended first.
BEGIN_SECONDS = 30
RETRY_SECONDS = 0.2
#: A broker that has just started is still taking up what its groups had committed.
SETTLING = (
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
)
#: Another try holds the name.
FENCED = (KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED)


class FencedError(MillraceError):
    """A later try has begun under the same name; this one is over."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"publishing as {name}", "a later try has taken over", "bin/millrace ledger"
        )


class Transaction:
    """The transaction of one name.

    Args:
        name: what is published; the same for every try of it.
        topic: where the mark's offset belongs; one of those published to.
    """

    def __init__(self, settings: Settings, name: str, topic: str) -> None:
        self._settings = settings
        self._name = name
        self._id = f"millrace-once-{hashlib.sha256(name.encode()).hexdigest()[:24]}"
        self._mark = TopicPartition(topic, 0, 1)

    @property
    def overrides(self) -> dict[str, Any]:
        """Settings of its producer."""
        return {"transactional.id": self._id, "transaction.timeout.ms": OPEN_MS}

    def begin(self, producer: Producer) -> bool:
        """Shut out earlier tries, then begin; False where one of them has published everything.

        Raises:
            TransientError: the broker does not answer.
        """
        try:
            producer.init_transactions(BEGIN_SECONDS)
            if self._is_marked():
                return False
            producer.begin_transaction()
        except KafkaException as error:
            raise self._failure(error) from error
        return True

    def commit(self, producer: Producer) -> None:
        """Mark, and commit mark and records.

        Raises:
            MillraceError: it was not committed, or nobody knows.
        """
        deadline = time.monotonic() + COMMIT_SECONDS
        group = self._group()
        try:
            metadata = group.consumer_group_metadata()
            producer.send_offsets_to_transaction([self._mark], metadata, BEGIN_SECONDS)
            while True:
                try:
                    producer.commit_transaction(BEGIN_SECONDS)
                    return
                except KafkaException as error:
                    if not error.args[0].retriable() or time.monotonic() > deadline:
                        raise
        except KafkaException as error:
            raise self._failure(error) from error
        finally:
            group.close()

    def abort(self, producer: Producer) -> bool:
        """Take everything back, as far as the broker answers; whether it did."""
        try:
            producer.abort_transaction(client.ANSWER_SECONDS)
        except KafkaException:
            return False  # The next try, or OPEN_MS, does it.
        return True

    def _is_marked(self) -> bool:
        deadline = time.monotonic() + BEGIN_SECONDS
        group = self._group()
        try:
            while True:
                try:
                    return _committed(group, self._mark)
                except KafkaException as error:
                    if error.args[0].code() not in SETTLING or time.monotonic() > deadline:
                        raise
                time.sleep(RETRY_SECONDS)
        finally:
            group.close()

    def _group(self) -> Consumer:
        return Consumer(
            {
                "bootstrap.servers": self._settings.kafka.address,
                "group.id": self._id,
                "enable.auto.commit": False,
            },
            logger=client.log,
        )

    def _failure(self, error: KafkaException) -> MillraceError:
        cause = error.args[0]
        if cause.code() in FENCED:
            return FencedError(self._name)
        return TransientError(
            f"publishing as {self._name}",
            f"the broker did not take the transaction ({cause.str()})",
            "make status  # then run the same command again",
        )


def _committed(group: Consumer, mark: TopicPartition) -> bool:
    (found,) = group.committed([mark], timeout=BEGIN_SECONDS)
    if found.error is not None:
        raise KafkaException(found.error)
    return bool(found.offset >= 0)


class OncePublisher(Publisher):
    """A publisher whose records are there together or not at all."""

    def __init__(self, producer: Producer, ledger: Ledger, transaction: Transaction) -> None:
        super().__init__(producer, ledger)
        self._transaction = transaction
        self._held: list[tuple[str, int, Place]] = []
        self._is_open = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._is_open and self._transaction.abort(self._producer):
                self._take_back()
        finally:
            super().__exit__(kind, error, trace)

    def finish(self, progress: Progress | None = None) -> None:
        """Wait for every answer, then commit.

        Raises:
            MillraceError: not every record was acknowledged, and nothing is there; or nobody
                knows whether the commit was done.
        """
        self._drain(progress)
        if self.counts:  # Held back are those acknowledged, so these are the others.
            if self._transaction.abort(self._producer):
                self._is_open = False
                self._take_back()
        else:
            self._is_open = False
            self._transaction.commit(self._producer)
            for held in self._held:
                super()._acknowledged(*held)
            self._held = []
        super().finish(progress)

    def _acknowledged(self, dataset: str, number: int, place: Place) -> None:
        """Hold it back: only the commit makes it so."""
        self._held.append((dataset, number, place))

    def _take_back(self) -> None:
        """The broker has dropped what it had acknowledged."""
        for dataset, number, _ in self._held:
            self._fail(dataset, number, "refused", "its transaction was aborted")
        self._held = []
