"""The topic of dead letters: made as its contract says, and read for what it holds."""

from __future__ import annotations

from dataclasses import replace

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from millrace.apply.steps import Action
from millrace.apply.topics import plan_topics
from millrace.contracts import Contract
from millrace.quarantine.dead_letters import ANSWER_S, Name, dead_letter_topic, name_of
from millrace.settings import Settings
from millrace_producers.client import broker_down, log


def require_topic(settings: Settings, contract: Contract) -> None:
    """Make the topic of a contract's dead letters, with the settings of its own topic."""
    wanted = replace(contract, topic=dead_letter_topic(contract.topic))
    for step in plan_topics(settings, [wanted]):
        if step.action in (Action.CREATE, Action.ALTER) and step.perform is not None:
            step.perform()


def names_in(settings: Settings, topic: str) -> set[Name]:
    """The records that the topic holds, by the headers that name them.

    Raises:
        TransientError: the broker does not answer.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": settings.kafka.address,
            "client.id": "millrace-dead-letters",
            # Never used: positions are assigned, and none is committed.
            "group.id": "millrace-dead-letters",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        },
        logger=log,
    )
    try:
        known = consumer.list_topics(topic, timeout=ANSWER_S).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in known])
        waiting, names = set(known), set[Name]()
        while waiting:
            message = consumer.poll(ANSWER_S)
            if message is None:
                raise broker_down(settings, f"{ANSWER_S:g} s without an answer about {topic}")
            error = message.error()
            if error is None:
                headers = message.headers() or []
                names.add(name_of(headers.items() if isinstance(headers, dict) else headers))
            elif error.code() == KafkaError._PARTITION_EOF:
                waiting.discard(message.partition())
            else:
                raise broker_down(settings, error.str())
        return names
    finally:
        consumer.close()
