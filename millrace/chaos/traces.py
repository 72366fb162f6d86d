"""Evidence held against what can still be seen: a report that lies is found by what it names.

A process is named by its pid and the moment it started, so one that is told to have ended must not
run; a commit that is told not to have arrived must not be in its table.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from millrace.chaos.processes import ProcessId
from millrace.chaos.report import FaultRun

#: Kinds whose `before` is gone.
GONE = ("ended", "replaced")
PROCESS = re.compile(r"\b(\d+)@(\d+)\b")
#: Whether a table has a snapshot.
HasSnapshot = Callable[[str, int], bool]


def contradictions(run: FaultRun, has_snapshot: HasSnapshot) -> list[str]:
    """What the evidence says and the system does not."""
    found = []
    for each in run.evidence.observations:
        thing, _, name = each.subject.partition(":")
        if thing == "process" and each.kind in GONE:
            named = [ProcessId(int(p), int(at)) for p, at in PROCESS.findall(each.before or "")]
            if not named:
                found.append(f"it names no process: {each}")
            found += [f"process {one} still runs: {each}" for one in named if one.is_alive]
        if (
            thing == "commit"
            and each.kind == "absent"
            and has_snapshot(name, int(each.before or 0))
        ):
            found.append(f"the table has the snapshot: {each}")
    return found
