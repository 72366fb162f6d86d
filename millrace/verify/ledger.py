"""The producers' ledger, read from its files as their format says.

A line is an intent (`i`), written before the record is sent, or an outcome (`o`), written after
the broker's answer. An intent without an outcome is unknown. A last line without its end was being
written when its process died, and says nothing.
"""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from millrace.verify.errors import VerifyError
from millrace.verify.keys import EMPTY, Keys, keys_of

_STAMP = "%Y%m%dT%H%M%S.%fZ"
#: (run, digest): what identifies a record whose position nobody told.
Sent = tuple[str, str]


@dataclass
class TopicLedger:
    """What the ledger says of one topic.

    Attributes:
        keys, at, digests, runs: of each acknowledged record: its position, its time in Kafka
            (microseconds, 0 where the ledger does not tell it), the SHA-256 of its value
            (hexadecimal, "" for none) and the number of its run in `names`.
        refused, unknown: how many records of a run and a digest.
    """

    names: list[str] = field(default_factory=list)
    keys: Keys = field(default_factory=lambda: EMPTY)
    at: Keys = field(default_factory=lambda: EMPTY)
    digests: pa.Array = field(default_factory=lambda: pa.array([], pa.string()))
    runs: Keys = field(default_factory=lambda: EMPTY)
    refused: Counter[Sent] = field(default_factory=Counter)
    unknown: Counter[Sent] = field(default_factory=Counter)

    @property
    def is_empty(self) -> bool:
        """Whether no record was ever intended."""
        return not (len(self.keys) or self.refused or self.unknown)


@dataclass
class LedgerView:
    """Every run of one folder.

    Attributes:
        began: run to the time it began, which its name tells.
    """

    topics: dict[str, TopicLedger]
    began: dict[str, datetime | None]

    def topic(self, name: str) -> TopicLedger:
        """What it says of a topic; nothing for one that no run sent to."""
        return self.topics.get(name) or TopicLedger()


class _Gathering:
    """The columns of one topic while they grow."""

    def __init__(self) -> None:
        self.partitions, self.offsets, self.runs = array("i"), array("q"), array("i")
        self.at_ms = array("q")
        self.digests: list[str] = []
        self.chunks: list[pa.Array] = []
        self.ledger = TopicLedger()
        self.number = -1

    def run(self, name: str) -> None:
        self.ledger.names.append(name)
        self.number += 1

    def take(self, state: str, digest: str, outcome: dict[str, Any]) -> None:
        run = self.ledger.names[-1]
        if state == "acknowledged":
            self.partitions.append(outcome["p"])
            self.offsets.append(outcome["f"])
            self.at_ms.append(outcome.get("t", 0))
            self.runs.append(self.number)
            self.digests.append(digest)
        elif state == "refused":
            self.ledger.refused[run, digest] += 1
        else:
            self.ledger.unknown[run, digest] += 1

    def flush(self) -> None:
        """Give the digests of a run to Arrow: a third of what Python keeps of them."""
        self.chunks.append(pa.array(self.digests, pa.string()))
        self.digests = []

    def done(self) -> TopicLedger:
        self.ledger.keys = keys_of(self.partitions, self.offsets)
        self.ledger.at = np.asarray(self.at_ms, np.int64) * 1000
        self.ledger.runs = np.asarray(self.runs, np.int64)
        self.ledger.digests = pa.concat_arrays(self.chunks)
        return self.ledger


def read(folder: Path, since: datetime | None = None) -> LedgerView:
    """All runs, without those that ended before `since`.

    Raises:
        VerifyError: a file was damaged: a line that is not the last one can not be read, or is no
            answer to one before it.
    """
    gathering: dict[str, _Gathering] = {}
    began: dict[str, datetime | None] = {}
    for file in sorted(folder.glob("*.jsonl")):
        if since is not None and file.stat().st_mtime < since.timestamp():
            continue
        began[file.stem] = _began(file.stem)
        try:
            _read_run(file, gathering)
        except (KeyError, TypeError, OverflowError) as error:
            raise VerifyError(
                f"{file}",
                "an outcome is there twice, or without its record, or a line lacks a value"
                f" ({error}), so what was acknowledged can not be told",
                f"ls -l {file}  # edited or damaged: restore the file",
            ) from error
    return LedgerView({topic: each.done() for topic, each in gathering.items()}, began)


def _read_run(file: Path, gathering: dict[str, _Gathering]) -> None:
    waiting: dict[int, tuple[_Gathering, str]] = {}
    mine: dict[str, _Gathering] = {}
    for line in _lines(file):
        if "i" in line:
            topic = line["topic"]
            if topic not in mine:
                mine[topic] = gathering.setdefault(topic, _Gathering())
                mine[topic].run(file.stem)
            waiting[line["i"]] = (mine[topic], line["sha256"] or "")
        else:
            owner, digest = waiting.pop(line["o"])
            owner.take(line["s"], digest, line)
    for owner, digest in waiting.values():
        owner.take("unknown", digest, {})
    for owner in mine.values():
        owner.flush()


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    with file.open("rb") as stream:
        for number, raw in enumerate(stream, start=1):
            if not raw.endswith(b"\n"):
                return
            try:
                line = json.loads(raw)
                known = isinstance(line, dict) and ("i" in line or "o" in line)
            except (ValueError, TypeError):
                known = False
            if not known:
                raise VerifyError(
                    f"{file}:{number}",
                    "is no line of a ledger, so what was acknowledged can not be told",
                    f"sed -n {number}p {file}  # edited or damaged: restore the file",
                )
            yield line


def _began(run: str) -> datetime | None:
    """When a run began: `20261121T160714.123456Z-<pid>-<random>`."""
    try:
        return datetime.strptime(run.split("-", maxsplit=1)[0], _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None
