"""What verification says, word by word: each finding, and what keeps it from judging."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from millrace.contracts.model import Field
from millrace.verify.checksum import Asked, Sum
from millrace.verify.engines import compare
from millrace.verify.errors import SourceAwayError, VerifyError, raise_if_away

GOLDEN = Path(__file__).parents[2] / "golden" / "errors"
RAW, QUARANTINE = "raw.visits", "raw.quarantine"
GONE = "20200101T000000.000000Z-1-abc"
PAGE = b'{"page": "later"}'
BAD = b'{"page": null}'


def mark(status: str) -> Callable[[list[Any]], list[Any]]:
    return lambda rows: [{**row, "status": status} for row in rows]


def twice(world: Any) -> None:
    world.change(RAW, lambda rows: [*rows, rows[0]])


def landed_too(world: Any, status: str) -> None:
    """A quarantined record is in raw as well."""
    world.put(RAW, [world.raw_row({**world.log.rows[3], "value": PAGE})], 6)
    world.change(QUARANTINE, mark(status))


def told_twice(world: Any) -> None:
    shutil.copy(world.ledger.path, world.ledger_folder / f"{GONE}.jsonl")


def refused(world: Any, value: bytes = PAGE) -> None:
    world.send(value, state="refused")
    world.land()


def unknown(world: Any) -> None:
    world.send(PAGE, state="unknown")
    world.append(PAGE)
    world.land()


def appended(world: Any, run: str | None) -> None:
    world.append(PAGE, run=run)
    world.land()


def aborted(world: Any) -> None:
    appended(world, None)
    world.log.aborted.add(6)


def ahead(world: Any) -> None:
    world.append(PAGE, run=None)
    world.put(RAW, [world.raw_row(world.log.rows[6])], 6)


def created_again(world: Any) -> None:
    world.log.topic_id = "id-2"


def cut_off(world: Any) -> None:
    del world.log.rows[5]
    world.log.end = 5


def not_kept(world: Any) -> None:
    world.drop(RAW, 2)
    world.log.begin = 5


def of_another_topic(world: Any) -> None:
    row = {**world.raw_row(world.log.rows[0]), "kafka_topic": "others"}
    world.change(RAW, lambda rows: [*rows, row])


def other_page(world: Any) -> None:
    world.change(RAW, lambda rows: [{**rows[0], "page": "Home"}, *rows[1:]])


def forged(world: Any) -> None:
    """Another value, with its own digest, of a record that the topic has no more."""
    world.log.begin = 6
    row = world.raw_row({**world.log.rows[1], "value": PAGE})
    world.change(RAW, lambda rows: [rows[0], row, *rows[2:]])


def data_file(world: Any) -> Path:
    (task,) = world.table(RAW).scan().plan_files()
    return Path(task.file.file_path.removeprefix("file://"))


def metadata(world: Any) -> Path:
    return Path(world.table(RAW).metadata_location.removeprefix("file://"))


#: golden file -> what is done, and words of the finding that is meant
FINDINGS: dict[str, tuple[Callable[[Any], object], str]] = {
    "verify_empty_ledger": (lambda world: world.ledger.path.write_text(""), "says nothing of it"),
    "verify_told_twice": (told_twice, "acknowledged twice"),
    "verify_lost": (lambda world: world.drop(RAW, 1), "nowhere"),
    "verify_replayed": (
        lambda world: world.change(QUARANTINE, mark("replayed")),
        "not in the raw table",
    ),
    "verify_landed_twice": (twice, "landed more than once"),
    "verify_cut_off": (lambda world: world.send(PAGE, arrives=False), "beyond the end of the log"),
    "verify_not_landed": (lambda world: world.send(PAGE), "has not landed"),
    "verify_replay_unfinished": (lambda world: landed_too(world, "open"), "unfinished replay"),
    "verify_discarded": (lambda world: landed_too(world, "discarded"), "discarded in quarantine"),
    "verify_silent_run": (lambda world: appended(world, ""), "knows nothing of"),
    "verify_run_gone": (lambda world: appended(world, GONE), "whose file is not in the ledger"),
    "verify_refused": (refused, "refused"),
    "verify_refused_quarantined": (lambda world: refused(world, BAD), "refused"),
    "verify_unknown_twice": (unknown, "whose fate was unknown"),
    "verify_created_again": (created_again, "which is gone"),
    "verify_other_topic": (of_another_topic, "of another topic"),
    "verify_position_twice": (twice, "is in raw.visits more than once"),
    "verify_ahead": (ahead, "after its own landed end"),
    "verify_aborted": (aborted, "no committed record"),
    "verify_log_behind": (cut_off, "but the log ends at"),
    "verify_gap": (lambda world: world.drop(RAW, 1), "a gap"),
    "verify_gap_unkept": (not_kept, "no longer has them"),
    "verify_other_value": (other_page, "another page"),
    "verify_other_digest": (forged, "digest than the ledger"),
    "verify_file_gone": (lambda world: data_file(world).unlink(), "damaged"),
    "verify_metadata_gone": (lambda world: metadata(world).unlink(), "metadata"),
}


def said(lines: list[str], folder: Path) -> str:
    """The words, without what differs from run to run."""
    text = "\n".join(lines).replace(str(folder), "<folder>") + "\n"
    return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<id>", text)


def expect_words(golden: str, words: str) -> None:
    assert words == (GOLDEN / f"{golden}.txt").read_text()


@pytest.mark.parametrize("golden", FINDINGS)
def test_a_finding_is_said_in_these_words(golden: str, world: Any, tmp_path: Path) -> None:
    damage, words = FINDINGS[golden]
    damage(world)
    (found,) = [each for each in world.verify().findings if words in each.text]
    expect_words(golden, said(found.lines(), tmp_path))


@pytest.mark.parametrize("engine", ["trino", "spark"])
def test_an_engine_that_disagrees_is_said_in_these_words(engine: str, tmp_path: Path) -> None:
    asked = Asked("visits", RAW, 7, Sum([Field("page", "string")], 2, 99))
    (found,) = compare([asked], engine, lambda _: [(3, 98)])
    expect_words(f"verify_{engine}_disagrees", said(found.lines(), tmp_path))


@pytest.mark.parametrize(
    ("golden", "more"),
    [
        ("verify_ledger_line", "no line\n"),
        ("verify_ledger_outcome", '{"o":500,"s":"acknowledged","p":0,"f":1}\n'),
    ],
)
def test_a_damaged_ledger_is_said_in_these_words(
    golden: str, more: str, world: Any, tmp_path: Path
) -> None:
    file = world.ledger.path.rename(world.ledger_folder / f"{GONE}.jsonl")
    with file.open("a") as stream:
        stream.write(more)
    with pytest.raises(VerifyError) as error:
        world.verify()
    expect_words(golden, said([f"error: {error.value}"], tmp_path))


def test_a_service_that_is_away_is_said_in_these_words(tmp_path: Path) -> None:
    with pytest.raises(SourceAwayError) as error:
        raise_if_away(ConnectionError(os.strerror(111)), "the store of the tables")
    expect_words("verify_source_away", said([f"error: {error.value}"], tmp_path))
