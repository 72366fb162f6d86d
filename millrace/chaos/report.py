"""What became of each fault, as records that others can check, and the last line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from millrace.chaos.evidence import Evidence, Observation
from millrace.chaos.faults import FAULTS


@dataclass(frozen=True)
class FaultRun:
    """One fault that was made, or that was meant to be made.

    Attributes:
        fault: its name.
        started_at, ended_at: in seconds since the epoch; all evidence is of the time between.
        recovery_s: from the strike until the first record that was sent afterwards was visible.
        lost: records that were acknowledged and are nowhere.
        doubled: records that are in the lake more than once.
        findings: what `millrace verify` says, and what went wrong.
        hands: what was done that an operator or a DAG would do.
        seed: of the whole run.
    """

    fault: str
    started_at: float
    ended_at: float
    evidence: Evidence
    recovery_s: float | None = None
    lost: int = 0
    doubled: int = 0
    findings: tuple[str, ...] = ()
    hands: tuple[str, ...] = ()
    seed: int = 0

    def to_json(self) -> str:
        """Text that `from_json` reads."""
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> FaultRun:
        """The run that `to_json` wrote."""
        values: dict[str, Any] = json.loads(text)
        seen = values.pop("evidence")["observations"]
        for name in ("findings", "hands"):
            values[name] = tuple(values.get(name, ()))
        return cls(evidence=Evidence(tuple(Observation(**each) for each in seen)), **values)

    @property
    def is_clean(self) -> bool:
        """Whether it happened, and nothing is wrong after it."""
        clean = not (self.lost or self.doubled or self.findings)
        return clean and self.recovery_s is not None and not void_reasons(self)


def void_reasons(run: FaultRun) -> list[str]:
    """Why the run proves nothing: empty where its evidence shows that the fault happened."""
    if run.fault not in FAULTS:
        return [f"there is no fault {run.fault}"]
    reasons = []
    seen = run.evidence.observations
    if not seen:
        reasons.append("there is no evidence")
    for each in seen:
        if not each.holds:
            reasons.append(f"the evidence does not show it: {each}")
        if not run.started_at <= each.at <= run.ended_at:
            reasons.append(f"the evidence is of another time: {each}")
    for kind, subject in FAULTS[run.fault].needs:
        if not any(each.kind == kind and each.subject.startswith(subject) for each in seen):
            reasons.append(f"it was not seen: {subject} {kind}")
    return reasons


def lines(run: FaultRun) -> list[str]:
    """One run for people."""
    void = void_reasons(run)
    mark = "void" if void else "ok  " if run.is_clean else "BAD "
    recovery = "did not recover" if run.recovery_s is None else f"{run.recovery_s:5.1f} s"
    result = [f"{mark} {run.fault:<36} {recovery}  lost {run.lost}  doubled {run.doubled}"]
    result += [f"       saw    {each}" for each in run.evidence.observations]
    result += [f"       hand   {each}" for each in run.hands]
    result += [f"       void   {each}" for each in void]
    result += [f"       found  {each}" for each in run.findings]
    return result


def summary(runs: Sequence[FaultRun]) -> str:
    """The last line."""
    lost, doubled = sum(run.lost for run in runs), sum(run.doubled for run in runs)
    void = sum(bool(void_reasons(run)) for run in runs)
    line = f"{len(runs)} faults, {lost} lost, {doubled} doubled, {void} void"
    wrong = sum(not run.is_clean and not void_reasons(run) for run in runs)
    return f"{line}, {wrong} with findings" if wrong and not (lost or doubled) else line


def write(run: FaultRun, folder: Path, number: int) -> Path:
    """Keep the record of a run: `<folder>/<number>-<fault>.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{number:02d}-{run.fault}.json"
    file.write_text(run.to_json() + "\n")
    return file


def read(folder: Path) -> Iterable[FaultRun]:
    """The records of a folder, in the order of the runs."""
    for file in sorted(folder.glob("*.json")):
        yield FaultRun.from_json(file.read_text())
