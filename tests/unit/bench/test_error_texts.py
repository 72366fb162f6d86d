"""What the benchmark says when it can not measure, word by word."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from confluent_kafka import KafkaError

from millrace.bench.connect import KafkaConnect
from millrace.bench.contestant import Program, Terms
from millrace.bench.fill import require_taken
from millrace.bench.freshness import Watcher
from millrace.cli.bench import bench
from millrace.errors import MillraceError
from millrace.settings import Settings

GOLDEN = Path(__file__).parents[2] / "golden" / "errors"


def failed_program(settings: Settings) -> None:
    program = Program(settings, "trial")
    program.start([sys.executable, "-c", "import sys; sys.exit('no topic')"])
    try:
        while not program.has_ended():
            pass
    finally:
        program.stop()


def without_connect(settings: Settings) -> None:
    KafkaConnect(Terms(settings, "bench.events", batch=60_000, interval_s=2.0)).prepare()


def refused_record(_: Settings) -> None:
    require_taken("bench.events", 0, [KafkaError(KafkaError.MSG_SIZE_TOO_LARGE)])


def unanswered_records(_: Settings) -> None:
    require_taken("bench.events", 1200, [])


def contradiction(_: Settings) -> None:
    answers = {True: [[7]], False: []}
    Watcher(lambda query: answers["count(*)" in query], "raw.bench_pulses", "bench.pulses").prove()


@pytest.mark.parametrize(
    ("golden", "failure"),
    [
        ("bench_failed_contestant", failed_program),
        ("bench_without_connect", without_connect),
        ("bench_refused_record", refused_record),
        ("bench_unanswered", unanswered_records),
        ("bench_contradiction", contradiction),
    ],
)
def test_a_failure_is_said_in_these_words(
    golden: str, failure: Callable[[Settings], None], tmp_path: Path
) -> None:
    with pytest.raises(MillraceError) as told:
        failure(Settings(home=tmp_path))
    said = f"error: {told.value}\n".replace(str(tmp_path), "<folder>")
    assert said == (GOLDEN / f"{golden}.txt").read_text()


def test_a_contestant_that_there_is_not_is_said_in_these_words() -> None:
    done = CliRunner().invoke(bench, ["ingest", "--only", "millrace,flink"])
    said = f"error: {done.exception}\n"
    assert said == (GOLDEN / "bench_unknown_contestant.txt").read_text()
