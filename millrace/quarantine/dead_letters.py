"""Dead letters: the open records of quarantine as a topic, for programs that mend or alert.

`<topic>.dlq` holds the record as it was sent, and what is wrong with it in headers. The table is
the truth and the topic a copy of it, made from time to time: a publication looks which records
the topic holds and adds the others, in one Kafka transaction. A second publication at the same
time fences the first, whose transaction is rolled back; so each record is there once.

A dead letter is not published again when the topic's retention has removed it, so one that was
quarantined longer ago than that is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Producer

from millrace.apply.topics import DEAD_LETTER_BYTES
from millrace.contracts import Contract
from millrace.contracts.names import DEAD_LETTER_SUFFIX
from millrace.quarantine.errors import FencedError
from millrace.quarantine.records import QuarantinedRecord
from millrace.settings import Settings
from millrace_producers.client import broker_down, make_producer

PREFIX = "millrace-dlq-"
#: A transaction is as large as this at most, so that it ends long before its time limit.
RECORDS_OF_ONE_TRANSACTION = 5_000
TIMEOUT_S = 60.0
FLUSH_S = 0.5
FENCES = frozenset(
    {KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED}
)
#: A healthy broker answers within milliseconds; one that was killed is back within a minute.
ANSWER_S = 30.0
#: What names a record for good, from its headers: topic, partition, offset and time.
Name = tuple[str, ...]
Header = tuple[str, str | bytes | None]
NAME_HEADERS = ("topic", "partition", "offset", "kafka-at")


def dead_letter_topic(topic: str) -> str:
    """The topic of a topic's dead letters."""
    return topic + DEAD_LETTER_SUFFIX


def headers_of(record: QuarantinedRecord) -> list[Header]:
    """The record's own headers, then what is wrong with it."""
    told = {
        "topic": record.position.topic,
        "partition": record.position.partition,
        "offset": record.position.offset,
        "kafka-at": record.at.isoformat(),
        "dataset": record.dataset,
        "reason": record.reason,
        "detail": record.detail,
        "field": record.field,
        "schema-id": record.schema_id,
        "quarantined-at": record.quarantined_at.isoformat(),
    }
    ours: list[Header] = [
        (PREFIX + name, str(each).encode()) for name, each in told.items() if each is not None
    ]
    return [*(record.headers or ()), *ours]


def name_of(headers: Iterable[Header]) -> Name:
    """The record that a dead letter's headers name."""
    told = dict(headers)
    values = (told.get(PREFIX + name) or "" for name in NAME_HEADERS)
    return tuple(each.decode() if isinstance(each, bytes) else each for each in values)


def oldest(contract: Contract) -> datetime:
    """Dead letters that were quarantined before this are left to the topic's retention."""
    return datetime.now(UTC) - timedelta(days=contract.topic_retention_days) + timedelta(hours=1)


class DeadLetters:
    """The dead letters of one topic, published by one transactional producer.

    Opening it fences every other publication of this topic.

    Raises (any call):
        FencedError: another publication took over.
        TransientError: the broker does not answer.
    """

    def __init__(self, settings: Settings, topic: str) -> None:
        self._settings = settings
        self.topic = dead_letter_topic(topic)
        self._producer: Producer = make_producer(
            settings,
            {
                "transactional.id": f"millrace-dlq-{topic}",
                "message.max.bytes": DEAD_LETTER_BYTES,
                "transaction.timeout.ms": int(TIMEOUT_S * 1000),
            },
        )
        self._call(lambda: self._producer.init_transactions(TIMEOUT_S))

    def publish(self, records: Sequence[QuarantinedRecord], there: Container[Name]) -> int:
        """Add those of the records that the topic does not hold; returns how many.

        Args:
            there: the records that it holds, looked up after this was opened.
        """
        new = {name_of(headers_of(each)): each for each in records}
        wanted = [each for name, each in new.items() if name not in there]
        for start in range(0, len(wanted), RECORDS_OF_ONE_TRANSACTION):
            portion = wanted[start : start + RECORDS_OF_ONE_TRANSACTION]
            self._call(partial(self._transact, portion))
        return len(wanted)

    def _transact(self, records: Sequence[QuarantinedRecord]) -> None:
        self._producer.begin_transaction()
        for record in records:
            self._produce(record)
        self._producer.commit_transaction(TIMEOUT_S)

    def _produce(self, record: QuarantinedRecord) -> None:
        while True:
            try:
                self._producer.produce(
                    self.topic,
                    record.value,
                    record.key,
                    partition=record.position.partition,
                    headers=headers_of(record),
                )
            except BufferError:  # the client's queue is full
                self._producer.poll(FLUSH_S)
            else:
                return

    def _call(self, call: Callable[[], object]) -> None:
        try:
            call()
        except KafkaException as error:
            cause: KafkaError = error.args[0]
            if cause.code() in FENCES or cause.fatal():
                raise FencedError(self.topic) from error
            with suppress(KafkaException):  # the next publication rolls it back as well
                self._producer.abort_transaction(ANSWER_S)
            raise broker_down(self._settings, cause.str()) from error
