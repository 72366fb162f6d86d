"""Bad records on the cluster: refused, looked at, published, replayed once, mended, discarded.

The tests follow each other: each leaves to the next what is still open.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition

from millrace.settings import Settings
from millrace_producers.client import make_producer
from millrace_producers.ledger import Ledger
from millrace_producers.publisher import Outgoing, Publisher

Query = Callable[[str], list[list[Any]]]
WEIGHINGS = """apiVersion: v3.2.0
kind: DataContract
id: weighings
version: 1.0.0
description:
  purpose: What the scales at the gate said.
schema:
  - name: weighings
    quality:
      - name: load_within_total
        type: custom
        engine: millrace
        implementation: load_kilos <= total_kilos
    properties:
      - name: weighing_id
        logicalType: string
        primaryKey: true
      - name: total_kilos
        logicalType: integer
        required: true
        logicalTypeOptions:
          maximum: 100
      - name: load_kilos
        logicalType: integer
        required: true
"""
GOOD, HEAVY, BROKEN, RUBBISH = 20, 5, 2, 2
REFUSED = HEAVY + BROKEN + RUBBISH
WAIT = ("landing", "wait", "--timeout", "240")


def weighing(number: int, total: int, load: int) -> dict[str, Any]:
    return {"weighing_id": f"W{number:04d}", "total_kilos": total, "load_kilos": load}


def produce(millrace: Any, folder: Path, rows: list[dict[str, Any]]) -> None:
    file = folder / f"weighings-{rows[0]['weighing_id']}.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    millrace("produce", "weighings", "--from", str(file), "--allow-bad")


def send_rubbish(settings: Settings) -> None:
    """Bytes that no producer would send, in the ledger like any record."""
    with Publisher(make_producer(settings), Ledger(settings.ledger)) as publisher:
        numbers = (str(number).encode() for number in range(RUBBISH))
        publisher.send([Outgoing("weighings", "weighings", n, b"rubbish " + n) for n in numbers])
        publisher.finish()


def listed(millrace: Any, *arguments: str) -> dict[str, Any]:
    """What `quarantine list --json` says of the dataset."""
    words = ("quarantine", "list", "--dataset", "weighings", "--limit", "100", "--json")
    found: dict[str, Any] = json.loads(millrace(*words, *arguments).stdout)
    return found


def shown(millrace: Any, position: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(millrace("quarantine", "show", position, "--json").stdout)
    return told


def open_classes(millrace: Any) -> dict[str, int]:
    counts = listed(millrace, "--status", "open")["counts"]
    return {each["reason"]: each["records"] for each in counts}


def positions(millrace: Any, reason: str) -> list[str]:
    records = listed(millrace, "--status", "open", "--reason", reason)["records"]
    return sorted(record["position"] for record in records)


def dead_letters(settings: Settings) -> Counter[tuple[str, str]]:
    """Position and reason of each committed dead letter, as any reader gets them."""
    consumer = KafkaConsumer(
        bootstrap_servers=settings.kafka.address,
        group_id=None,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        consumer_timeout_ms=5_000,
    )
    try:
        numbers = consumer.partitions_for_topic("weighings.dlq") or set()
        consumer.assign([TopicPartition("weighings.dlq", number) for number in numbers])
        found: Counter[tuple[str, str]] = Counter()
        for message in consumer:
            told = {name: value.decode() for name, value in message.headers}
            place = (told[f"millrace-dlq-{name}"] for name in ("topic", "partition", "offset"))
            found[":".join(place), told["millrace-dlq-reason"]] += 1
        return found
    finally:
        consumer.close()


@pytest.fixture(scope="module")
def weighed(
    cluster: Settings, millrace: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """A dataset of its own with good records and bad ones of three classes, landed."""
    folder = tmp_path_factory.mktemp("weighings")
    contract = cluster.contracts / "weighings.yaml"
    contract.write_text(WEIGHINGS)
    millrace("apply")
    millrace("landing", "start")
    rows = [weighing(number, 50, 10) for number in range(GOOD)]
    rows += [weighing(100 + number, 120, 10) for number in range(HEAVY)]
    rows += [weighing(200 + number, 50, 60) for number in range(BROKEN)]
    produce(millrace, folder, rows)
    send_rubbish(cluster)
    millrace(*WAIT)
    yield cluster
    contract.unlink()  # the pipeline of other tests is not to process it


def test_bad_records_are_counted_by_class_and_shown(weighed: Settings, millrace: Any) -> None:
    expected = {"out_of_range": HEAVY, "broken_rule": BROKEN, "not_framed": RUBBISH}
    assert open_classes(millrace) == expected
    told = shown(millrace, positions(millrace, "not_framed")[0])
    assert told["text"].startswith("rubbish")
    assert (told["headers"][0][0], told["status"]) == ("millrace-run", "open")
    heavy = shown(millrace, positions(millrace, "out_of_range")[0])
    assert (heavy["decoded"]["total_kilos"], heavy["field"]) == (120, "total_kilos")
    assert heavy["today"].startswith("bad (out_of_range)")


def test_dead_letters_are_published_once_however_often(weighed: Settings, millrace: Any) -> None:
    publish = ("quarantine", "publish", "--dataset", "weighings")
    with ThreadPoolExecutor() as pool:
        # The one that is fenced says so, and has published nothing.
        done = list(pool.map(lambda _: millrace(*publish, expect=None), range(2)))
    assert 0 in [each.returncode for each in done]
    assert "0 new dead letters" in millrace(*publish).stdout
    letters = dead_letters(weighed)
    assert set(letters.values()) == {1}
    assert Counter(reason for _, reason in letters) == open_classes(millrace)


def test_a_stream_that_turned_bad_fails_the_check(weighed: Settings, millrace: Any) -> None:
    check = ("quarantine", "check", "--dataset", "weighings")
    refused = millrace(*check, "--at-least", "1", expect=1)
    assert f"{REFUSED} of {GOOD + REFUSED} records are bad" in refused.stderr
    millrace(*check, "--at-least", "1", "--max-share", "50%")
    millrace(*check)  # so few are no verdict


def test_after_the_contract_is_corrected_replays_land_each_record_once(
    weighed: Settings, millrace: Any, query: Query, tmp_path: Path
) -> None:
    """Two replays at once and a third afterwards, while the stream lands."""
    path = weighed.contracts / "weighings.yaml"
    path.write_text(path.read_text().replace("maximum: 100", "maximum: 200"))
    millrace("apply")
    replay = ("quarantine", "replay", "--dataset", "weighings")
    with ThreadPoolExecutor() as pool:
        more = pool.submit(produce, millrace, tmp_path, [weighing(300, 50, 10)])
        done = list(pool.map(lambda _: millrace(*replay), range(2)))
        more.result()
    again = millrace(*replay)
    assert "weighings: 0 landed" in again.stdout
    landed = [int(each.stdout.split("weighings: ")[-1].split()[0]) for each in done]
    assert sum(landed) == HEAVY
    millrace(*WAIT)
    assert query(
        "select count(*), count(distinct (kafka_partition, kafka_offset)),"
        " count_if(total_kilos = 120) from raw.weighings"
    ) == [[GOOD + HEAVY + 1, GOOD + HEAVY + 1, HEAVY]]
    assert open_classes(millrace) == {"broken_rule": BROKEN, "not_framed": RUBBISH}


def test_a_corrected_value_lands_and_a_bad_one_does_not(
    weighed: Settings, millrace: Any, query: Query, tmp_path: Path
) -> None:
    position = positions(millrace, "not_framed")[0]
    partition, offset = position.split(":")[1:]
    bad, good = tmp_path / "bad.json", tmp_path / "good.json"
    bad.write_text(json.dumps(weighing(400, 50, 60)))
    good.write_text(json.dumps(weighing(400, 50, 10)))
    refused = millrace("quarantine", "replay", position, "--value", str(bad), expect=1)
    assert "load_within_total" in refused.stderr
    for said in ("1 landed", "0 landed, 1 were in raw already"):
        assert said in millrace("quarantine", "replay", position, "--value", str(good)).stdout
    assert query(
        "select r.weighing_id, r.value_sha256 = q.replayed_sha256,"
        " r.value_sha256 = q.value_sha256, q.status, from_utf8(q.value) like 'rubbish%'"
        " from raw.weighings r join raw.quarantine q"
        " on (r.kafka_topic, r.kafka_partition, r.kafka_offset)"
        " = (q.kafka_topic, q.kafka_partition, q.kafka_offset)"
        f" where q.kafka_topic = 'weighings' and q.kafka_partition = {partition}"
        f" and q.kafka_offset = {offset}"
    ) == [["W0400", True, False, "replayed", True]]


def test_what_will_never_land_is_discarded_and_not_published_again(
    weighed: Settings, millrace: Any
) -> None:
    reason = ("--reason", "the scales were broken")
    first, *_ = positions(millrace, "broken_rule")
    assert "1 discarded" in millrace("quarantine", "discard", first, *reason).stdout
    left = ("quarantine", "discard", "--dataset", "weighings", "--yes")
    assert f"{BROKEN + RUBBISH - 2} discarded" in millrace(*left, *reason).stdout
    assert open_classes(millrace) == {}
    told = shown(millrace, first)
    assert (told["status"], told["resolution"]) == ("discarded", "the scales were broken")
    millrace("quarantine", "publish", "--dataset", "weighings")
    assert set(dead_letters(weighed).values()) == {1}


def test_every_record_is_in_raw_once_or_in_quarantine_once(weighed: Settings, query: Query) -> None:
    places = "kafka_partition, kafka_offset"
    assert query(
        f"select count(*), count(distinct ({places})) from ("
        f"select {places} from raw.weighings union all"
        f" select {places} from raw.quarantine"
        " where dataset = 'weighings' and status <> 'replayed')"
    ) == [[GOOD + REFUSED + 1, GOOD + REFUSED + 1]]


def test_the_dag_that_watches_the_stream_reports_and_publishes(
    weighed: Settings, millrace: Any
) -> None:
    millrace("quarantine", "publish", "--dataset", "weighings")
    before = sum(dead_letters(weighed).values())
    send_rubbish(weighed)
    millrace(*WAIT)
    said = millrace("run", "lake_landing", timeout=600).stdout
    assert "check_quarantine" in said and "publish_dead_letters" in said
    letters = dead_letters(weighed)
    assert (sum(letters.values()), set(letters.values())) == (before + RUBBISH, {1})
