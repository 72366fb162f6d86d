"""Records of fault runs: an honest one of each fault, and the same faults that did not happen.

A forged record lacks evidence, has evidence of another time or thing, or shows that nothing
happened. The boldest is complete: it tells of the end of a process that still runs, or of a commit
that did not arrive and is in its table.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from pyiceberg.table import Table

from millrace.chaos.evidence import Evidence, Need, Observation
from millrace.chaos.faults import FAULTS
from millrace.chaos.processes import identify
from millrace.chaos.report import FaultRun, read, void_reasons, write
from millrace.chaos.traces import GONE, contradictions

#: How long a run of the records lasts: faults recover within a minute.
RUN_S = 60.0
DAY_S = 86_400.0
#: Two processes that there never were: Linux counts to 2^22.
FIRST, SECOND = "8388608@1", "8388609@2"
COMMIT = "commit:"
#: No snapshot has it.
NO_SNAPSHOT = "1"
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
    "refused": (None, None),
}


def write_honest(folder: Path) -> None:
    """One run of each fault, with all the evidence that it needs."""
    for number, fault in enumerate(sorted(FAULTS), start=1):
        write(honest(fault), folder, number)


def write_forged(folder: Path, table: Table) -> list[str]:
    """Runs that claim faults which did not happen. Returns the names of their files.

    Args:
        table: of whose last commit they say that it did not arrive.
    """
    first = len(list(folder.glob("*.json"))) + 1
    runs = [run for fault in sorted(FAULTS) for run in _forged(honest(fault), table)]
    return [write(run, folder, number).name for number, run in enumerate(runs, start=first)]


def honest(fault: str) -> FaultRun:
    """A run whose evidence holds."""
    now = time.time()
    seen = tuple(_look(need, now - RUN_S / 2) for need in FAULTS[fault].needs)
    return FaultRun(fault, now - RUN_S, now, Evidence(seen), recovery_s=1.0)


def void_runs(folder: Path, table: Table) -> Iterable[tuple[str, str]]:
    """Name of the file and the reasons, of every record that proves nothing."""

    def has_snapshot(name: str, snapshot: int) -> bool:
        return name == ".".join(table.name()) and table.snapshot_by_id(snapshot) is not None

    for file, run in zip(sorted(folder.glob("*.json")), read(folder), strict=True):
        if reasons := [*void_reasons(run), *contradictions(run, has_snapshot)]:
            yield file.name, "; ".join(reasons)


def _forged(run: FaultRun, table: Table) -> Iterator[FaultRun]:
    """The same claim in every way that does not hold."""
    seen = run.evidence.observations
    yield replace(run, evidence=Evidence())
    yield replace(run, evidence=Evidence(tuple(replace(each, at=each.at - DAY_S) for each in seen)))
    for index, each in enumerate(seen):
        others = [
            _not_shown(each),
            replace(each, subject=f"another {each.subject}"),
            *_bold(each, table),
        ]
        for other in others:
            yield replace(run, evidence=Evidence((*seen[:index], other, *seen[index + 1 :])))


def _not_shown(look: Observation) -> Observation:
    """The same look, and nothing happened."""
    if look.kind == "absent":  # what was looked for is there
        return replace(look, after=look.before)
    before, after = NOT_SHOWN[look.kind]
    return replace(look, before=before, after=after)


def _bold(look: Observation, table: Table) -> Iterator[Observation]:
    """What follows every rule and is not so: this process runs, the snapshot is there."""
    if look.kind in GONE and look.subject.startswith("process:"):
        yield replace(look, before=str(identify(os.getpid())))
    if look.kind == "absent" and look.subject.startswith(COMMIT):
        name, head = ".".join(table.name()), table.metadata.current_snapshot_id
        yield replace(look, subject=f"{COMMIT}{name}", before=str(head))


def _look(need: Need, at: float) -> Observation:
    kind, subject = need
    before, after = SHOWN[kind]
    if need == ("absent", COMMIT):
        before = NO_SNAPSHOT
    return Observation(kind, subject, before, after, at)
