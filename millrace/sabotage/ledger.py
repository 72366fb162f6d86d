"""A copy of the producers' ledger, of one dataset, byte for byte what its runs wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from millrace_producers.ledger import Entry, read_ledger

#: How a run is named: the time it began, its process, a word.
RUN = "%Y%m%dT%H%M%S.%fZ-0-planted"


def copy_ledger(source: Path, target: Path, dataset: str, ends: Mapping[int, int]) -> None:
    """Copy the lines of the dataset's records, run by run; a torn last line stays torn.

    Args:
        ends: partition to the offset from which on acknowledged records are left out, because
            they came after the tables were copied. Of a partition that is not named all count.
    """
    target.mkdir(parents=True, exist_ok=True)
    mark = f'"dataset":{json.dumps(dataset)}'.encode()
    for file in sorted(source.glob("*.jsonl")):
        content = file.read_bytes()
        if mark not in content:  # most runs are of one dataset
            continue
        lines = content.splitlines(keepends=True)
        whole = [(json.loads(line), line) for line in lines if line.endswith(b"\n")]
        mine = {each["i"] for each, _ in whole if each.get("dataset") == dataset}
        mine -= {each["o"] for each, _ in whole if _is_late(each, ends)}
        kept = [line for each, line in whole if each.get("i", each.get("o")) in mine]
        if kept:
            torn = [line for line in lines[-1:] if not line.endswith(b"\n")]
            (target / file.name).write_bytes(b"".join([*kept, *torn]))


def _is_late(line: dict[str, Any], ends: Mapping[int, int]) -> bool:
    return "f" in line and line["f"] >= ends.get(line["p"], line["f"] + 1)


def plant_refused(ledger: Path, dataset: str, topic: str, sha256: str) -> str:
    """Add the run of a producer whose one record the broker refused. Returns the run's name."""
    run = datetime.now(UTC).strftime(RUN)
    intent = {"i": 0, "dataset": dataset, "topic": topic, "sha256": sha256}
    outcome = {"o": 0, "s": "refused", "why": "planted by sabotage"}
    lines = (json.dumps(line, separators=(",", ":")) + "\n" for line in (intent, outcome))
    (ledger / f"{run}.jsonl").write_text("".join(lines))
    return run


def empty_ledger(ledger: Path) -> None:
    """Cut every run to nothing."""
    for file in ledger.glob("*.jsonl"):
        file.write_bytes(b"")


def acknowledged(ledger: Path) -> dict[tuple[int, int], str | None]:
    """Position to digest of every acknowledged record; of a topic made anew, the later one's."""
    return {
        _position(entry): entry.sha256
        for entry in read_ledger(ledger)
        if entry.state == "acknowledged"
    }


def _position(entry: Entry) -> tuple[int, int]:
    assert entry.partition is not None and entry.offset is not None  # noqa: PT018
    return entry.partition, entry.offset
