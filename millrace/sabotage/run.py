"""One run: copy, prove that the copy passes, damage it in every way, and keep the score."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from millrace.contracts.model import Contract
from millrace.errors import MillraceError
from millrace.lake import catalog
from millrace.sabotage.damages import DAMAGES, FAULT, Damage, Mark
from millrace.sabotage.fault_runs import void_runs
from millrace.sabotage.grounds import alone, lake_grounds
from millrace.sabotage.scene import Position, Scene
from millrace.settings import Settings
from millrace.verify.judging import Sources
from millrace.verify.report import Finding
from millrace.verify.run import sources_of, verify
from millrace.verify.subject import Subject

#: The one engine that judges L1 to L5 and L7 without starting anything.
ENGINES = ("pyiceberg",)
SHOWN_FINDINGS = 5
SHOWN_CHARACTERS = 100

Say = Callable[[str], None]


class MissedError(MillraceError):
    """Damages that the verifier did not see, or not for what they are."""

    def __init__(self, dataset: str, missed: Sequence[str], seed: int) -> None:
        only = " ".join(f"--only {name}" for name in missed)
        super().__init__(
            f"sabotage of {dataset}",
            f"the verifier missed {', '.join(missed)}",
            f"bin/millrace sabotage --dataset {dataset} --seed {seed} {only}"
            "  # a defect of the verifier: this shows it again",
        )


class UndamagedError(MillraceError):
    """The copy does not pass before anything was done to it."""

    def __init__(self, dataset: str, findings: Sequence[Finding]) -> None:
        first = findings[0]
        super().__init__(
            f"sabotage of {dataset}",
            f"its undamaged copy breaks {first.law} already: {first.text}",
            f"bin/millrace verify --dataset {dataset}  # mend what it finds, then again",
        )


@dataclass(frozen=True)
class Outcome:
    """What became of one damage.

    Attributes:
        finding: the one that caught it; None where it was missed.
        others: what else was found.
    """

    damage: Damage
    mark: Mark
    finding: Finding | None
    others: tuple[Finding, ...]
    seconds: float


def sabotage(
    settings: Settings, contract: Contract, damages: Sequence[Damage], seed: int, say: Say
) -> list[Outcome]:
    """Damage a copy of the dataset in each of the ways.

    Raises:
        UndamagedError: the copy does not pass as it is.
        NothingToDamageError: a damage could not be done.
        BusyError: another run has the copies.
    """
    lake = catalog(settings)
    grounds = lake_grounds(lake, settings.home)
    with alone(settings.home):
        try:
            grounds.prepare()
            say(f"copying {contract.raw_table}, its quarantined records and its ledger")
            began = time.monotonic()
            scene = Scene(grounds, contract, seed)
            scene.copy(settings.ledger)
            say(f"copied {_size(scene)} ({time.monotonic() - began:.1f} s)")
            began = time.monotonic()
            sources = sources_of(settings)
            if findings := inspect(scene, settings, sources):
                raise UndamagedError(contract.dataset, findings)
            say(f"the undamaged copy passes ({time.monotonic() - began:.1f} s)")
            return [_try(scene, damage, settings, sources, say) for damage in damages]
        finally:
            grounds.clean()


def inspect(scene: Scene, settings: Settings, sources: Sources) -> list[Finding]:
    """What the verifier says of the copy, and what is said of the records of fault runs."""
    contract = scene.contract
    subject = Subject(
        dataset=contract.dataset,
        topic=contract.topic,
        raw_table=scene.raw.name,
        quarantine_table=scene.quarantine.name,
        ledger=scene.ledger,
    )
    contracts = {contract.dataset: contract}
    # A copy never moves: nothing is waited for.
    report = verify([subject], settings, ENGINES, wait_s=0, sources=sources, contracts=contracts)
    found = list(report.findings)
    for name, reasons in void_runs(scene.runs, scene.raw.table):
        found.append(Finding(FAULT, contract.dataset, f"{name}: {reasons}", "make chaos"))
    return found


def catching(mark: Mark, findings: Iterable[Finding]) -> Finding | None:
    """The finding that names the damage: the law that it breaks, and where it was done.

    Several findings of the law may share the places. One of many records keeps only the first of
    its positions: it has to have all of the damaged ones up to there, and count no fewer.
    """
    mine = [each for each in findings if each.law == mark.law]
    if not all(any(name in each.text for each in mine) for name in mark.names):
        return None
    if mark.positions <= {place for each in mine for place in each.positions}:
        return next((each for each in mine if not mark.positions or each.positions), None)
    return next((each for each in mine if _is_cut_from(each, mark.positions)), None)


def _is_cut_from(finding: Finding, positions: frozenset[Position]) -> bool:
    if not finding.total > len(finding.positions) > 0:
        return False
    last = max(finding.positions)
    first_ones = {place for place in positions if place <= last}
    return bool(first_ones <= set(finding.positions) and first_ones) and finding.total >= len(
        positions
    )


def lines(outcome: Outcome, number: int, width: int) -> list[str]:
    """One damage for people."""
    head = f"{number:2}  {outcome.damage.text:{width}}"
    if outcome.finding is None:
        told = [f"      found instead: {_short(each)}" for each in outcome.others[:SHOWN_FINDINGS]]
        where = _where(outcome.mark)
        return [f"{head}  MISSED: {outcome.mark.law} {where}", *told]
    return [f"{head}  caught: {_short(outcome.finding)}  ({outcome.seconds:.1f} s)"]


def _try(scene: Scene, damage: Damage, settings: Settings, sources: Sources, say: Say) -> Outcome:
    began = time.monotonic()
    mark = damage.do(scene)
    findings = inspect(scene, settings, sources)
    scene.restore()
    finding = catching(mark, findings)
    others = tuple(each for each in findings if each is not finding)
    outcome = Outcome(damage, mark, finding, others, time.monotonic() - began)
    width = max(len(each.text) for each in DAMAGES)
    for line in lines(outcome, DAMAGES.index(damage) + 1, width):
        say(line)
    return outcome


def _size(scene: Scene) -> str:
    landed, quarantined = len(scene.landed), len(scene.quarantined)
    files = len(set(scene.landed.values()))
    return (
        f"{scene.contract.raw_table}: {landed:,} rows in {files} files, {quarantined:,} in"
        f" quarantine, {len(scene.acknowledged):,} acknowledged"
    )


def _short(finding: Finding) -> str:
    return f"{finding.law} {textwrap.shorten(finding.text, SHOWN_CHARACTERS, placeholder=' ...')}"


def _where(mark: Mark) -> str:
    places = [f"{partition}/{offset}" for partition, offset in sorted(mark.positions)]
    return ", ".join([*places, *mark.names][:SHOWN_FINDINGS]) or "anywhere"
