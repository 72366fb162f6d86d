"""Records of fault runs: an honest one of each fault, and the same faults that did not happen."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from millrace.chaos.evidence import Evidence, Need, Observation
from millrace.chaos.faults import FAULTS
from millrace.chaos.report import FaultRun, read, void_reasons, write

#: How long a run of the records lasts: faults recover within a minute.
RUN_S = 60.0
DAY_S = 86_400.0
FIRST, SECOND = "4711@1000", "4712@2000"
#: kind -> what is seen before and after where the fault did happen, and where it did not.
SHOWN = {
    "replaced": (FIRST, SECOND),
    "ended": (FIRST, None),
    "moved": (FIRST, SECOND),
    "unmoved": (FIRST, FIRST),
    "present": (None, FIRST),
    "absent": (FIRST, None),
    "refused": (None, FIRST),
}
NOT_SHOWN = {
    "replaced": (FIRST, FIRST),
    "ended": (FIRST, FIRST),
    "moved": (FIRST, FIRST),
    "unmoved": (FIRST, SECOND),
    "present": (None, None),
    "absent": (FIRST, FIRST),
    "refused": (None, None),
}


def write_honest(folder: Path) -> None:
    """One run of each fault, with all the evidence that it needs."""
    for number, fault in enumerate(sorted(FAULTS), start=1):
        write(honest(fault), folder, number)


def write_forged(folder: Path) -> list[str]:
    """Runs that claim faults which did not happen. Returns the names of their files."""
    first = len(list(folder.glob("*.json"))) + 1
    runs = (run for fault in sorted(FAULTS) for run in forged(honest(fault)))
    return [write(run, folder, number).name for number, run in enumerate(runs, start=first)]


def honest(fault: str) -> FaultRun:
    """A run whose evidence holds."""
    now = time.time()
    seen = tuple(_look(need, now - RUN_S / 2) for need in FAULTS[fault].needs)
    return FaultRun(fault, now - RUN_S, now, Evidence(seen), recovery_s=1.0)


def forged(run: FaultRun) -> Iterator[FaultRun]:
    """The same claim without evidence, with evidence of yesterday, of another thing, of nothing."""
    seen = run.evidence.observations
    yield replace(run, evidence=Evidence())
    yield replace(run, evidence=Evidence(tuple(replace(each, at=each.at - DAY_S) for each in seen)))
    for index, each in enumerate(seen):
        before, after = NOT_SHOWN[each.kind]
        for other in (
            replace(each, before=before, after=after),
            replace(each, subject=f"another {each.subject}"),
        ):
            yield replace(run, evidence=Evidence((*seen[:index], other, *seen[index + 1 :])))


def void_runs(folder: Path) -> Iterable[tuple[str, str]]:
    """Name of the file and the reasons, of every record that proves nothing."""
    for file, run in zip(sorted(folder.glob("*.json")), read(folder), strict=True):
        if reasons := void_reasons(run):
            yield file.name, "; ".join(reasons)


def _look(need: Need, at: float) -> Observation:
    kind, subject = need
    before, after = SHOWN[kind]
    return Observation(kind, subject, before, after, at)
