"""The driver of landing: knows what every table holds, and commits batches in the safe order.

Quarantine is committed before the raw tables. A crash between the two leaves quarantine ahead,
which `unfinished` shows at the next start; the other order would lose the bad records. Every
commit is compare and swap, so a second driver, a rollback or a compaction in between is noticed.
It reads no records and knows no Spark.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from pyiceberg.catalog import Catalog

from millrace.contracts.model import Contract
from millrace.contracts.names import QUARANTINE_TABLE
from millrace.lake.commit import UnknownResultError, delete_quietly
from millrace.lake.offsets import TopicOffsets, positions, snapshots_beyond
from millrace.landing import positions as plan
from millrace.landing.errors import TableMissingError
from millrace.landing.landed_table import LandedTable, Move
from millrace.landing.positions import LogState, Ranges
from millrace.landing.sift import LandingJob
from millrace.landing.writer import WrittenFile, without_history

log = logging.getLogger(__name__)

#: Commits of different tables wait for the metastore and the name node, not for this process.
COMMIT_THREADS = 4

#: Asks the broker for the state of the given topics.
LogStates = Callable[[Iterable[str]], Mapping[str, LogState]]


class Lander:
    """What is landed of every contract, and the commits that move it.

    Attributes:
        starts: topic to the offsets that the next batch starts from.
    """

    def __init__(
        self,
        catalog: Catalog,
        contracts: Iterable[Contract],
        log_states: LogStates,
        writer: str = "",
    ) -> None:
        self._catalog = catalog
        self._contracts = {contract.topic: contract for contract in contracts}
        self._log_states = log_states
        self._logs: Mapping[str, LogState] = {}
        self._raw: dict[str, LandedTable] = {}
        self._quarantine = LandedTable(catalog, QUARANTINE_TABLE, writer)
        self._writer = writer
        self.starts: dict[str, plan.Offsets] = {}

    def open(self) -> None:
        """Load the tables and pass the gate.

        Raises:
            TableMissingError: a contract is not applied.
            TopicMissingError: the same, of its topic.
            GateError: table and log disagree.
        """
        self._quarantine.load()
        self._raw = {
            topic: LandedTable(self._catalog, contract.raw_table, self._writer)
            for topic, contract in self._contracts.items()
        }
        for topic, table in self._raw.items():
            table.load()
            _require_columns(table, self._contracts[topic])
        self._logs = self._log_states(self._contracts)
        self.starts = {
            topic: plan.start_offsets(
                contract.dataset, topic, self._raw[topic].offsets.get(topic), self._logs[topic]
            )
            for topic, contract in self._contracts.items()
        }
        for topic, contract in self._contracts.items():
            quarantined = self._quarantine.offsets.get(topic)
            plan.check_quarantine(contract.dataset, topic, quarantined, self._logs[topic])

    def unfinished(self) -> dict[str, Ranges]:
        """Ranges of a batch that died between its two commits, topic by topic."""
        ranges = {
            topic: plan.unfinished(
                self.starts[topic], self._quarantine.offsets.get(topic), self._logs[topic]
            )
            for topic in self._contracts
        }
        return {topic: each for topic, each in ranges.items() if each}

    def job(self, unfinished: Mapping[str, Ranges] | None = None) -> LandingJob:
        """What the tasks of a batch must know; of an unfinished one also what to leave out."""
        names = {contract.raw_table for contract in self._contracts.values()}
        tables = {table.name: table for table in (*self._raw.values(), self._quarantine)}
        return LandingJob(
            contracts=self._contracts,
            tables={
                name: without_history(tables[name].table.metadata)
                for name in (*names, QUARANTINE_TABLE)
            },
            left_out={
                topic: self._quarantined(topic, ranges)
                for topic, ranges in (unfinished or {}).items()
            },
        )

    def commit(self, ranges: Mapping[str, Ranges], files: Iterable[WrittenFile]) -> None:
        """Commit a batch: quarantine where it has rows, then each topic's raw table.

        Args:
            ranges: topic to what the batch covers, from the planned offsets: never from rows.
            files: what its tasks wrote.

        Raises:
            TakenOverError: another writer was faster; the files of that table are deleted, and
                what else is committed stays valid.
            UnknownResultError: a result could not be found out; the tables must be read again.
        """
        of_table: dict[str, list[WrittenFile]] = {}
        for file in files:
            of_table.setdefault(file.table, []).append(file)
        moves = {
            topic: Move(
                # All partitions, so that one without records yet is known from then on.
                {**self.starts[topic], **{part: end for part, (_, end) in each.items()}},
                self._logs[topic].topic_id,
            )
            for topic, each in ranges.items()
            if each
        }
        bad = of_table.pop(QUARANTINE_TABLE, [])
        if bad:
            try:
                self._quarantine.append(bad, self._never_back(moves))
            except UnknownResultError:
                raise
            except Exception:
                self._delete(file for each in (bad, *of_table.values()) for file in each)
                raise
        self._commit_raw(moves, of_table)

    def _commit_raw(
        self, moves: Mapping[str, Move], files: Mapping[str, list[WrittenFile]]
    ) -> None:
        """Commit every topic's table; the first failure is raised when all have been tried."""

        def commit(topic: str) -> Exception | None:
            table = self._raw[topic]
            mine = files.get(table.name, [])
            try:
                table.append(mine, {topic: moves[topic]})
            except UnknownResultError as error:
                return error  # the files may be in the table
            except Exception as error:  # whatever the services raise: nothing was committed
                self._delete(mine)
                return error
            self.starts[topic] = dict(moves[topic].ends)
            return None

        with ThreadPoolExecutor(COMMIT_THREADS) as pool:
            failures = [error for error in pool.map(commit, moves) if error]
        if failures:
            raise failures[0]

    def _never_back(self, moves: Mapping[str, Move]) -> dict[str, Move]:
        """The moves of quarantine: a part of an unfinished batch leaves it ahead."""
        result = dict(moves)
        for topic, move in moves.items():
            known = self._quarantine.offsets.get(topic, TopicOffsets())
            if known.may_be_of(move.topic_id):
                ends = {part: max(end, known.ends.get(part, 0)) for part, end in move.ends.items()}
                result[topic] = Move(ends, move.topic_id)
        return result

    def _quarantined(self, topic: str, ranges: Ranges) -> frozenset[tuple[int, int]]:
        """What the unfinished batch quarantined.

        Older rows at the same offsets are of a topic, or of the end of a log, that is gone.
        """
        table = self._quarantine.table
        landed = TopicOffsets(self.starts[topic], self._logs[topic].topic_id)
        low = min(start for start, _ in ranges.values())
        high = max(end for _, end in ranges.values())
        added_by = snapshots_beyond(table, topic, landed)
        return frozenset(positions(table, topic, low, high, added_by))

    def _delete(self, files: Iterable[WrittenFile]) -> None:
        for file in files:
            delete_quietly(self._quarantine.table, file.path)


def require_applied(catalog: Catalog, contracts: Iterable[Contract]) -> None:
    """Make sure that every contract has its table, with all of its columns.

    Raises:
        TableMissingError: for the first that has not.
    """
    for contract in contracts:
        table = LandedTable(catalog, contract.raw_table)
        table.load()
        _require_columns(table, contract)


def _require_columns(table: LandedTable, contract: Contract) -> None:
    have = set(table.table.schema().column_names)
    missing = [field.name for field in contract.fields if field.name not in have]
    if missing:
        cause = f"it has no column {missing[0]} of contracts/{contract.dataset}.yaml"
        raise TableMissingError(table.name, cause)
