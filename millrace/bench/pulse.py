"""`python -m millrace.bench.pulse`: sends records at a steady rate, and notes when it made some.

A process of its own, so that it and who watches do not share one interpreter.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from millrace.bench.fill import ANSWERS_WITHIN_S, require_taken, send
from millrace.bench.records import event
from millrace.landing.broker import Broker
from millrace.settings import load
from millrace_producers.client import make_producer

TICK_S = 0.01
#: One in so many records is followed.
FOLLOWED = 50
#: A batch of the client leaves after this.
LINGER_MS = 5


def pulse(topic: str, rate: float, seconds: float, first: int) -> dict[str, Any]:
    """Send for so long; who was followed, as partition, offset and time, and how it went.

    Args:
        first: number of the first record.
    """
    settings = load()
    partitions = len(Broker(settings.kafka.address).log_states([topic])[topic].ends)
    followed: list[tuple[int, int, float]] = []
    refused: list[Any] = []

    def answered(at: float, error: Any, message: Any) -> None:
        if error:
            refused.append(error)
        else:
            followed.append((message.partition(), message.offset(), at))

    producer = make_producer(settings, {"linger.ms": LINGER_MS})
    began, sent = time.time(), 0
    while (elapsed := time.time() - began) < seconds:
        for _ in range(int(elapsed * rate) - sent):
            each, more = event(first + sent), {}
            at = time.time()
            if sent % FOLLOWED == 0:
                more["on_delivery"] = lambda error, message, at=at: answered(at, error, message)
            send(producer, topic, each.value, each.device.encode(), sent % partitions, **more)
            sent += 1
        producer.poll(TICK_S)
    ended = time.time()
    require_taken(topic, producer.flush(ANSWERS_WITHIN_S), refused)
    return {"sent": sent, "seconds": ended - began, "followed": followed}


def main() -> None:
    """Send as the command line says, and write down what was followed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--first", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    made = pulse(options.topic, options.rate, options.seconds, options.first)
    options.out.write_text(json.dumps(made))


if __name__ == "__main__":
    main()
