"""The table of `docs/reference/faults.md`, made from the records of a run.

`python -m millrace.chaos.page FOLDER...` prints it; of a fault that was made several times the
latest record counts.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from millrace.chaos.fault import Fault
from millrace.chaos.faults import FAULTS
from millrace.chaos.report import FaultRun, read, void_reasons

HEAD = (
    "| fault | what happens, and when | evidence | recovery | lost | doubled |",
    "| --- | --- | --- | --- | --- | --- |",
)


def table(runs: Iterable[FaultRun]) -> list[str]:
    """One row a fault, in the order of the registry; a fault without a record has no row."""
    latest: Mapping[str, FaultRun] = {run.fault: run for run in runs}
    return [*HEAD, *(row(FAULTS[name], latest[name]) for name in FAULTS if name in latest)]


def row(fault: type[Fault], run: FaultRun) -> str:
    """What a fault is, and what was measured of it."""
    evidence = ", ".join(f"{subject.rstrip(':')} {kind}" for kind, subject in fault.needs)
    recovery = "void" if void_reasons(run) else f"{run.recovery_s or 0:.0f} s"
    return (
        f"| `{fault.name}` | {fault.title} | {evidence} | {recovery} | {run.lost} | {run.doubled} |"
    )


def main() -> None:
    """Print the table of the folders given."""
    runs = [run for folder in sys.argv[1:] for run in read(Path(folder))]
    print("\n".join(table(runs)))


if __name__ == "__main__":
    main()
