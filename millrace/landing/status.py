"""What every table holds of its topic, what the log holds, and what is wrong between the two.

Nothing is changed and one contract's trouble hides no other's: each problem is a sentence and the
command that mends it. The retention watch is here too: a record that has not landed when half of
its topic's retention is over is a warning, because the other half is the time that is left.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from millrace.contracts.model import Contract
from millrace.contracts.names import QUARANTINE_TABLE
from millrace.errors import MillraceError
from millrace.lake.offsets import TopicOffsets
from millrace.landing.broker import Place, ReadableLog
from millrace.landing.errors import FileMissingError, TopicMissingError
from millrace.landing.landed_table import LandedTable
from millrace.landing.positions import LogState, check_quarantine, start_offsets
from millrace.landing.replayed import recent_replays, require_replayed
from millrace.landing.rollback import require_quarantine

#: Of a topic's retention; what is older and has not landed is warned of.
WARN_AT = 0.5
HOUR_S, DAY_S = 3600.0, 86400.0


@dataclass(frozen=True)
class Problem:
    """What is wrong, and the command that mends it."""

    text: str
    remedy: str


@dataclass(frozen=True)
class PartitionStatus:
    """One partition.

    Attributes:
        landed: the offset that is landed next, None before the first landing.
        begin, end: the first offset that the log keeps, and the one after its last.
        behind: records, markers included, that have not landed.
        behind_s: how long ago the oldest of them came; None where there is none.
    """

    partition: int
    landed: int | None
    begin: int
    end: int
    behind: int
    behind_s: float | None


@dataclass(frozen=True)
class TopicStatus:
    """One topic and its table; no partitions where either is not there."""

    dataset: str
    topic: str
    table: str
    rows: int
    partitions: tuple[PartitionStatus, ...]
    problems: tuple[Problem, ...]

    @property
    def behind(self) -> int:
        """Records that have not landed."""
        return sum(each.behind for each in self.partitions)

    @property
    def behind_s(self) -> float:
        """How long ago the oldest record came that has not landed; 0 where there is none."""
        return max((each.behind_s or 0.0 for each in self.partitions), default=0.0)


def measure(
    catalog: Catalog,
    log: ReadableLog,
    contracts: Iterable[Contract],
    now: Callable[[], float] = time.time,
) -> list[TopicStatus]:
    """The status of every contract, in the order of the datasets.

    Raises:
        BrokerUnreachableError, MetastoreUnreachableError: a service does not answer.
        TableMissingError: there is no quarantine table.
    """
    known = {contract.topic: contract for contract in contracts}
    tables = {topic: LandedTable(catalog, contract.raw_table) for topic, contract in known.items()}
    # Raw, then quarantine, then the log: what lands meanwhile makes none of them look behind.
    problems = {topic: _load(table) for topic, table in tables.items()}
    quarantine = LandedTable(catalog, QUARANTINE_TABLE)
    quarantine.load()
    there = (table.table for topic, table in tables.items() if not problems[topic])
    replays, unread = _recent(quarantine, there)
    topics = list(log.topic_ids(known))
    logs = log.log_states(topics) if topics else {}
    retentions = log.retentions_s(topics)
    oldest = log.first_records(_unlanded(tables, problems, logs))
    statuses = []
    for topic, contract in sorted(known.items(), key=lambda item: item[1].dataset):
        found = list(problems[topic])
        partitions: tuple[PartitionStatus, ...] = ()
        if topic not in logs:
            found.append(_problem(TopicMissingError(topic)))
        elif not found:
            found += _disagreements(contract, tables[topic], quarantine, logs[topic])
            found = found or unread or _replays(catalog, contract, quarantine, replays)
            partitions = _partitions(topic, tables[topic], logs[topic], oldest, now())
            found += _retention(contract, partitions, retentions[topic])
        rows = 0 if problems[topic] else _rows(tables[topic])
        statuses.append(
            TopicStatus(contract.dataset, topic, contract.raw_table, rows, partitions, tuple(found))
        )
    return statuses


def _load(table: LandedTable) -> list[Problem]:
    """Read the table; what stands in the way of knowing how far it is landed."""
    return _trouble(table.load, table.require_offsets)


def _trouble(*checks: Callable[[], object]) -> list[Problem]:
    """What the first check says that fails; that a service does not answer is raised."""
    for check in checks:
        try:
            check()
        except MillraceError as error:
            if error.transient:
                raise
            return [_problem(error)]
    return []


def _problem(error: MillraceError) -> Problem:
    return Problem(f"{error.thing}: {error.cause}", error.remedy)


def _unlanded(
    tables: Mapping[str, LandedTable],
    problems: Mapping[str, list[Problem]],
    logs: Mapping[str, LogState],
) -> dict[Place, int]:
    """From where each partition is not landed."""
    return {
        (topic, partition): _landed(tables[topic], topic, log).get(partition, begin)
        for topic, log in logs.items()
        if not problems[topic]
        for partition, begin in log.begins.items()
    }


def _landed(table: LandedTable, topic: str, log: LogState) -> Mapping[int, int]:
    """How far the topic that is there now is landed."""
    landed = table.offsets.get(topic, TopicOffsets())
    return landed.ends if landed.may_be_of(log.topic_id) else {}


def _disagreements(
    contract: Contract, table: LandedTable, quarantine: LandedTable, log: LogState
) -> list[Problem]:
    """What the gate would refuse to start for."""
    dataset, topic = contract.dataset, contract.topic
    return _trouble(
        quarantine.require_offsets,
        lambda: start_offsets(dataset, topic, table.offsets.get(topic), log),
        lambda: check_quarantine(dataset, topic, quarantine.offsets.get(topic), log),
        lambda: require_quarantine(contract, table, quarantine, log),
    )


def _recent(quarantine: LandedTable, raw: Iterable[Table]) -> tuple[pa.Table | None, list[Problem]]:
    """The replays to look for, and why they can not be told."""
    try:
        return recent_replays(quarantine.table, raw), []
    except FileMissingError as error:
        return None, [_problem(error)]


def _replays(
    catalog: Catalog, contract: Contract, quarantine: LandedTable, replays: pa.Table | None
) -> list[Problem]:
    """The same, of replays that a rollback has undone; it asks the services once more."""
    return _trouble(lambda: require_replayed(catalog, contract, quarantine, replays))


def _partitions(
    topic: str,
    table: LandedTable,
    log: LogState,
    oldest: Mapping[Place, tuple[int, int]],
    now_s: float,
) -> tuple[PartitionStatus, ...]:
    landed = _landed(table, topic, log)
    found = []
    for partition, begin in sorted(log.begins.items()):
        end = log.ends[partition]
        behind = max(0, end - max(landed.get(partition, begin), begin))
        first = oldest.get((topic, partition))
        behind_s = max(0.0, now_s - first[1] / 1000) if behind and first else None
        at = landed.get(partition)
        found.append(PartitionStatus(partition, at, begin, end, behind, behind_s))
    return tuple(found)


def _retention(
    contract: Contract, partitions: Iterable[PartitionStatus], retention_s: float | None
) -> list[Problem]:
    """The retention watch of one topic."""
    oldest = max(partitions, key=lambda each: each.behind_s or 0.0, default=None)
    if retention_s is None or oldest is None or oldest.behind_s is None:
        return []
    if oldest.behind_s <= WARN_AT * retention_s:
        return []
    text = (
        f"topic {contract.topic}: the oldest record of partition {oldest.partition} that has not"
        f" landed is {duration(oldest.behind_s)} old, and the topic keeps records for"
        f" {duration(retention_s)}"
    )
    longer = f"where it runs, raise topicRetentionDays in contracts/{contract.dataset}.yaml"
    return [Problem(text, f"bin/millrace landing start  # {longer}; make apply")]


def _rows(table: LandedTable) -> int:
    snapshot = table.table.current_snapshot()
    return int(snapshot.summary["total-records"] or 0) if snapshot and snapshot.summary else 0


def duration(seconds: float) -> str:
    """Seconds for people: `3.2 s`, `5.0 h`, `4.1 d`."""
    for unit, length in (("d", DAY_S), ("h", HOUR_S)):
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s"
