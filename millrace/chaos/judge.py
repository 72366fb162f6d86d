"""The verdict after a fault: what `millrace verify` says of the datasets that were flowing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from millrace.contracts import Contract
from millrace.contracts.names import QUARANTINE_TABLE
from millrace.settings import Settings
from millrace.verify.report import Finding
from millrace.verify.run import verify
from millrace.verify.subject import Subject

#: The laws of records and files; the other engines read the same files, and take a minute.
ENGINES = ("pyiceberg",)
#: The laws that say whether a record is there, and how findings tell of one that is there twice.
PRESENCE = ("L1", "L4")
TWICE = ("more than once", "at once", "quarantine and in the raw table")


@dataclass(frozen=True)
class Verdict:
    """What verification counted.

    Attributes:
        findings: everything it says, lost and doubled records included.
    """

    lost: int
    doubled: int
    findings: tuple[str, ...]


def judge(
    settings: Settings, contracts: Sequence[Contract], since: datetime | None = None
) -> Verdict:
    """Verify the datasets: every record sent is answered, and what was acknowledged has landed.

    Args:
        settings: of the cluster.
        contracts: of the datasets.
        since: only records that are not older; each one is decoded anew, which takes its time.
    """
    subjects = [
        Subject(each.dataset, each.topic, each.raw_table, QUARANTINE_TABLE, settings.ledger, since)
        for each in contracts
    ]
    report = verify(subjects, settings, engines=ENGINES)
    doubled = [each for each in report.findings if any(word in each.text for word in TWICE)]
    lost = [each for each in report.findings if each.law in PRESENCE and each not in doubled]
    said = tuple(f"{each.law} {each.dataset}: {each.text}" for each in report.findings)
    return Verdict(_records(lost), _records(doubled), said)


def _records(findings: Sequence[Finding]) -> int:
    """How many records they are about; two laws may tell of the same ones."""
    most: dict[str, int] = {}
    for each in findings:
        number = max(each.total, len(each.positions))
        most[each.dataset] = max(most.get(each.dataset, 0), number)
    return sum(most.values())
