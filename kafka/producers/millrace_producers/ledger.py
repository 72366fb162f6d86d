"""The producers' ledger: what was to be sent, and what the broker said of it.

It is the outer end of the proof that nothing was lost, so it knows nothing of the lake. One
append-only file a run, `<ledger>/<run id>.jsonl`, two kinds of line:

    {"i":0,"dataset":"orders","topic":"orders","sha256":"..."}     the intent, before the send
    {"o":0,"s":"acknowledged","p":2,"f":17,"t":1795371260123}      the outcome, after it
    {"o":1,"s":"refused","why":"..."}     the broker does not have it and never will
    {"o":2,"s":"unknown","why":"..."}     the broker may have it: the answer was lost

`t` is the record's time in Kafka in milliseconds, by which it is known what retention has expired.

Intents are handed to the operating system before their records are handed to the client, so a
producer killed at any moment leaves an intent without an outcome, which also counts as unknown,
and never a record without a line. (The machine losing power may lose lines; a killed process may
not.) Nothing edits the file of another run. A last line without an end was being written when
its process died; it is ignored: a torn intent was not sent, a torn outcome is unknown.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from millrace.errors import MillraceError

State = Literal["acknowledged", "refused", "unknown"]


class Intent(NamedTuple):
    """A record about to be sent. The digest is that of its value's bytes, hexadecimal."""

    dataset: str
    topic: str
    sha256: str | None


class Entry(NamedTuple):
    """What became of one record. Partition and offset are known of acknowledged records only."""

    dataset: str
    topic: str
    partition: int | None
    offset: int | None
    sha256: str | None
    state: State


class Counts(NamedTuple):
    """Records by state."""

    acknowledged: int = 0
    refused: int = 0
    unknown: int = 0

    @property
    def intended(self) -> int:
        """Every record that was to be sent."""
        return self.acknowledged + self.refused + self.unknown

    def plus(self, state: State, number: int = 1) -> Counts:
        """The counts with more records of one state."""
        counts = dict(zip(self._fields, self, strict=True))
        counts[state] += number
        return Counts(**counts)


class LedgerError(MillraceError):
    """A ledger that can not be written or read."""


def _damaged(file: Path, number: int, cause: str) -> LedgerError:
    remedy = f"sed -n {number}p {file}  # edited or damaged: restore the file"
    return LedgerError(f"{file}:{number}", cause, remedy)


class Ledger:
    """The ledger of one run; the file is made at the first intent."""

    def __init__(self, folder: Path) -> None:
        now = datetime.now(UTC)
        self.run_id = f"{now:%Y%m%dT%H%M%S.%f}Z-{os.getpid()}-{secrets.token_hex(3)}"
        self.path = folder / f"{self.run_id}.jsonl"
        self._descriptor: int | None = None
        self._next = 0
        self._failure: LedgerError | None = None
        self._outcomes: list[str] = []

    def intend(self, intents: Sequence[Intent]) -> range:
        """Write the intents; when this returns, the operating system has them.

        Returns:
            The numbers of the records in this run, in the order given.

        Raises:
            LedgerError: they could not be written; none of the records may be sent.
        """
        numbers = range(self._next, self._next + len(intents))
        lines = (
            json.dumps({"i": number, **intent._asdict()}, separators=(",", ":"))
            for number, intent in zip(numbers, intents, strict=True)
        )
        self._write("".join(line + "\n" for line in lines))
        self._next = numbers.stop
        return numbers

    def acknowledge(
        self, number: int, partition: int, offset: int, at_ms: int | None = None
    ) -> None:
        """Note that the broker has the record there, since then; `flush` writes it."""
        time = "" if at_ms is None else f',"t":{at_ms}'
        place = f'"p":{partition},"f":{offset}{time}'
        self._outcomes.append(f'{{"o":{number},"s":"acknowledged",{place}}}\n')

    def fail(self, number: int, state: State, why: str) -> None:
        """Note that the record was refused, or that its outcome is unknown; `flush` writes it."""
        line = json.dumps({"o": number, "s": state, "why": why}, separators=(",", ":"))
        self._outcomes.append(line + "\n")

    def flush(self) -> None:
        """Hand the noted outcomes to the operating system."""
        if self._outcomes:
            text, self._outcomes = "".join(self._outcomes), []
            self._write(text)

    def close(self) -> None:
        """Write what was noted and close the file."""
        try:
            self.flush()
        finally:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    def _write(self, text: str) -> None:
        if self._failure:
            raise self._failure  # A line after a torn one would read as damage.
        data = memoryview(text.encode())
        try:
            if self._descriptor is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
                self._descriptor = os.open(self.path, flags, 0o644)
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError as error:
            self._failure = LedgerError(
                f"ledger {self.path}",
                f"{error.strerror or error}; nothing was sent that it does not hold",
                f"df -h {self.path.parent}  # make room, then run the same command again",
            )
            raise self._failure from error


def read_ledger(folder: Path) -> Iterator[Entry]:
    """What became of every record of every run, the runs in the order they began.

    Raises:
        LedgerError: a line that is not the last one can not be read, lacks a value, or answers no
            intent before it.
    """
    for file in sorted(folder.glob("*.jsonl")):
        yield from read_run(file)


def read_run(file: Path) -> Iterator[Entry]:
    """What became of the records of one run; those without an outcome come last, as unknown."""
    waiting: dict[int, Intent] = {}
    for number, line in _lines(file):
        try:
            if "i" in line:
                waiting[line["i"]] = Intent(line["dataset"], line["topic"], line["sha256"])
                continue
            intent, state = waiting.pop(line["o"], None), line["s"]
        except (KeyError, TypeError) as error:
            raise _damaged(file, number, f"it lacks a value of its kind ({error})") from error
        if intent is None:
            cause = f"it tells the outcome of record {line['o']}, which no line before it awaits"
            raise _damaged(file, number, cause)
        yield Entry(
            intent.dataset, intent.topic, line.get("p"), line.get("f"), intent.sha256, state
        )
    for dataset, topic, sha256 in waiting.values():
        yield Entry(dataset, topic, None, None, sha256, "unknown")


def summarise(folder: Path) -> dict[str, Counts]:
    """Records by dataset and state, over all runs, the datasets in the order of their names."""
    return dict(sorted(count(read_ledger(folder)).items()))


def count(entries: Iterable[Entry]) -> dict[str, Counts]:
    """Records by dataset and state."""
    numbers: dict[tuple[str, State], int] = {}
    for entry in entries:
        key = (entry.dataset, entry.state)
        numbers[key] = numbers.get(key, 0) + 1
    counts: dict[str, Counts] = {}
    for (dataset, state), number in numbers.items():
        counts[dataset] = counts.get(dataset, Counts()).plus(state, number)
    return counts


def _lines(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with file.open("rb") as stream:
        for number, raw in enumerate(stream, start=1):
            try:
                yield number, json.loads(raw)
            except ValueError as error:
                if not raw.endswith(b"\n"):
                    return
                raise _damaged(file, number, f"is not a line of a ledger ({error})") from error
