"""The verdict after a fault: what `millrace verify` says of the datasets that were flowing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from millrace.contracts import Contract
from millrace.contracts.names import QUARANTINE_TABLE
from millrace.settings import Settings
from millrace.verify.run import verify
from millrace.verify.subject import Subject

#: The laws of records and files; the other engines read the same files, and take a minute.
ENGINES = ("pyiceberg",)


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
    said = tuple(f"{each.law} {each.dataset}: {each.text}" for each in report.findings)
    return Verdict(report.lost, report.doubled, said)
