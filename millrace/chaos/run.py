"""Runs faults one after the other: settle, strike, recover, rest, judge, write down."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from millrace.chaos.evidence import Witness
from millrace.chaos.fault import Fault
from millrace.chaos.faults import FAULTS
from millrace.chaos.judge import judge
from millrace.chaos.report import FaultRun, lines, write
from millrace.chaos.traces import contradictions
from millrace.chaos.world import World
from millrace.errors import MillraceError

#: Records that were sent before a fault began and may have landed after it.
OVERLAP_S = 30.0


def run_faults(world: World, names: Sequence[str], folder: Path, seed: int) -> list[FaultRun]:
    """Make the faults in this order; each leaves its record in the folder.

    Args:
        world: with landing running or not; faults settle it.
        names: of `FAULTS`; one may stand several times.
    """
    runs: list[FaultRun] = []
    told = 0
    for number, name in enumerate(names, start=1):
        world.say(f"{number} of {len(names)}: {name}: {FAULTS[name].title}")
        run = run_fault(world, FAULTS[name](), seed, whole=number == len(names))
        write(run, folder, number)
        for line in lines(run):
            world.say(line)
        for trouble in world.load.troubles[told:]:
            world.say(f"       load   {' '.join(trouble.split())}")
        told = len(world.load.troubles)
        runs.append(run)
    return runs


def run_fault(world: World, fault: Fault, seed: int, *, whole: bool) -> FaultRun:
    """Make one fault, and say what became of it; whatever goes wrong is in the record.

    Args:
        world: a running one.
        fault: a new one: it remembers what it saw.
        seed: for the record.
        whole: judge everything that ever flowed, not only what did since this fault began.
    """
    started, hands = time.time(), len(world.landing.hands)
    witness = Witness(world.load.mark)
    findings: list[str] = []
    recovery_s = None
    try:
        world.settle()
        fault.prepare(world)
        fault.strike(world, witness)
        recovery_s = _recover(world, fault, witness)
        fault.afterwards(world, witness)
    except Exception as error:  # the run is judged by what was seen until here
        findings.append(_said(error))
    finally:
        _attempt(lambda: fault.clean(world), findings)
    run = FaultRun(
        fault=fault.name,
        started_at=started,
        ended_at=time.time(),
        evidence=witness.evidence,
        recovery_s=recovery_s,
        findings=tuple(findings),
        hands=tuple(world.landing.hands[hands:]),
        seed=seed,
    )
    since = None if whole else datetime.fromtimestamp(started - OVERLAP_S, UTC)
    return _judged(world, run, since)


def _recover(world: World, fault: Fault, witness: Witness) -> float:
    if witness.struck_at is None or witness.mark is None:
        raise MillraceError(f"fault {fault.name}", "has not struck", "make chaos  # again")
    world.say(f"struck; waiting at most {fault.recovers_within_s:.0f} s for the stream to go on")
    return world.wait_landed_since(witness.mark, fault.recovers_within_s) - witness.struck_at


def _judged(world: World, run: FaultRun, since: datetime | None) -> FaultRun:
    """The run with the verdict of the laws."""
    try:
        world.come_to_rest()
        contradicted = contradictions(run, world.lake.has_snapshot)
        world.say("everything has landed; verifying")
        verdict = judge(world.settings, world.contracts, since)
    except Exception as error:  # a lake that can not be read is a finding
        return replace(run, findings=(*run.findings, _said(error)))
    finally:
        world.load.resume()
    return replace(
        run,
        lost=verdict.lost,
        doubled=verdict.doubled,
        findings=(*run.findings, *contradicted, *verdict.findings),
    )


def _attempt(action: Callable[[], None], findings: list[str]) -> None:
    try:
        action()
    except Exception as error:  # what could not be given back is a finding, not the end
        findings.append(_said(error))


def _said(error: Exception) -> str:
    if isinstance(error, MillraceError):
        return f"{error.thing}: {error.cause}"
    return repr(error)
