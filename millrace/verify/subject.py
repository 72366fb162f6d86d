"""What is verified: one dataset, its topic, its two tables and the ledger of its producers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from millrace.contracts import find, load_contracts
from millrace.contracts.names import QUARANTINE_TABLE
from millrace.settings import Settings


@dataclass(frozen=True)
class Subject:
    """One dataset to verify.

    Attributes:
        dataset: has a contract, which says how its records decode.
        raw_table, quarantine_table: `namespace.name`, of the catalog; copies may be named here.
        ledger: folder of the producers' runs.
        since: only records whose time in Kafka is not before it, whole partitions from there on.
    """

    dataset: str
    topic: str
    raw_table: str
    quarantine_table: str
    ledger: Path
    since: datetime | None = None


def subjects(
    settings: Settings, datasets: Sequence[str] = (), since: datetime | None = None
) -> list[Subject]:
    """The subjects of the named datasets, of every contract where none is named.

    Raises:
        MillraceError: a name has no contract, or a contract is refused.
    """
    contracts = load_contracts(settings.contracts)
    chosen = [find(name, contracts) for name in dict.fromkeys(datasets or sorted(contracts))]
    return [
        Subject(each.dataset, each.topic, each.raw_table, QUARANTINE_TABLE, settings.ledger, since)
        for each in chosen
    ]
