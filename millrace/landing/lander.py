"""The driver of landing: knows what every table holds, and commits batches in the safe order.

Quarantine is committed before the raw tables. A crash between the two leaves quarantine ahead,
which `unfinished` shows at the next start; the other order would lose the bad records. Every
commit is compare and swap, so a second driver, a rollback or a compaction in between is noticed,
and asks for the topic's id, so that a topic that is made anew between two batches is noticed too.
It reads no records and knows no Spark.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from pyiceberg.catalog import Catalog

from millrace.contracts.model import Contract
from millrace.contracts.names import QUARANTINE_TABLE
from millrace.lake.commit import UnknownResultError, delete_quietly
from millrace.lake.offsets import TopicOffsets
from millrace.landing import positions as plan
from millrace.landing.applied import require_columns, require_unchanged
from millrace.landing.broker import Log
from millrace.landing.errors import TopicMissingError
from millrace.landing.held import held
from millrace.landing.landed_table import LandedTable, Move
from millrace.landing.positions import LogState, Ranges
from millrace.landing.replayed import recent_replays, require_replayed
from millrace.landing.rollback import require_quarantine
from millrace.landing.sift import LandingJob
from millrace.landing.writer import WrittenFile, without_history

log = logging.getLogger(__name__)

#: Commits of different tables wait for the metastore and the name node, not for this process.
COMMIT_THREADS = 4


class Lander:
    """What is landed of every contract, and the commits that move it.

    Attributes:
        starts: topic to the offsets that the next batch starts from.
    """

    def __init__(
        self,
        catalog: Catalog,
        contracts: Iterable[Contract],
        log: Log,
        writer: str = "",
    ) -> None:
        self._catalog = catalog
        self._contracts = {contract.topic: contract for contract in contracts}
        self._log = log
        self._logs: Mapping[str, LogState] = {}
        self._raw: dict[str, LandedTable] = {}
        # An application has one id for all its attempts, and one process opens several landers.
        self._driver = f"{writer} {uuid.uuid4()}"
        self._quarantine = LandedTable(catalog, QUARANTINE_TABLE, writer, self._driver)
        self._writer = writer
        self._unmoved: set[str] = set()
        self.starts: dict[str, plan.Offsets] = {}

    def open(self) -> None:
        """Load the tables and pass the gate.

        Raises:
            TableMissingError: a contract is not applied.
            TopicMissingError: the same, of its topic.
            OffsetsLostError: a table does not tell how far it is landed.
            GateError: table and log disagree.
        """
        self._raw = {
            topic: LandedTable(self._catalog, contract.raw_table, self._writer, self._driver)
            for topic, contract in self._contracts.items()
        }
        for topic, table in self._raw.items():
            table.load()
            table.require_offsets()
            require_columns(table, self._contracts[topic])
        # After raw, which notes what quarantine has, and before the log, which only grows: beside
        # a driver that lands, nothing looks rolled back.
        self._quarantine.load()
        self._quarantine.require_offsets()
        self._logs = self._log.log_states(self._contracts)
        self.starts = {
            topic: plan.start_offsets(
                contract.dataset, topic, self._raw[topic].offsets.get(topic), self._logs[topic]
            )
            for topic, contract in self._contracts.items()
        }
        raw = (table.table for table in self._raw.values())
        replays = recent_replays(self._quarantine.table, raw)
        for topic, contract in self._contracts.items():
            quarantined = self._quarantine.offsets.get(topic)
            plan.check_quarantine(contract.dataset, topic, quarantined, self._logs[topic])
            require_quarantine(contract, self._raw[topic], self._quarantine, self._logs[topic])
            require_replayed(self._catalog, contract, self._quarantine, replays)
        self._unmoved = set(self._contracts)

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
        """What the tasks of a batch must know; of an unfinished one also what to leave out.

        Raises:
            ContractsChangedError: another contract was applied to a table since `open`.
        """
        for topic, contract in self._contracts.items():
            require_unchanged(self._raw[topic], contract)
        names = {contract.raw_table for contract in self._contracts.values()}
        tables = {table.name: table for table in (*self._raw.values(), self._quarantine)}
        return LandingJob(
            contracts=self._contracts,
            tables={
                name: without_history(tables[name].table.metadata)
                for name in (*names, QUARANTINE_TABLE)
            },
            held={
                topic: held(self._raw[topic].table, self._quarantine.table, topic, ranges)
                for topic, ranges in (unfinished or {}).items()
            },
        )

    def commit(self, ranges: Mapping[str, Ranges], files: Iterable[WrittenFile]) -> None:
        """Commit a batch: quarantine where it has rows, then each topic's raw table.

        A topic's first batch moves quarantine's offsets even without rows. A driver from before
        that was frozen ahead of its commit there is refused then, however it judged the records.
        With rows it is made the driver of the raw tables before: one that was frozen ahead of its
        commit to them, with a batch of good records alone, is refused there as well.

        Args:
            ranges: topic to what the batch covers, from the planned offsets: never from rows.
            files: what its tasks wrote.

        Raises:
            TakenOverError: another writer was faster; the files of that table are deleted, and
                what else is committed stays valid.
            TopicRecreatedError: what was read may be of another topic; nothing was committed.
            UnknownResultError: a result could not be found out; the tables must be read again.
        """
        files = list(files)
        try:
            self._require_same_topics(topic for topic, each in ranges.items() if each)
        except Exception:  # also what the broker's client raises
            self._delete(files)
            raise
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
        if bad or self._unmoved & moves.keys():
            try:
                if bad:
                    self._take_over(self._unmoved & moves.keys())
                self._quarantine.append(bad, self._never_back(moves))
            except UnknownResultError:
                raise
            except Exception:  # refused: the batch's other files go too
                self._delete(files)
                raise
            self._unmoved -= moves.keys()
        self._commit_raw(moves, of_table)

    def _require_same_topics(self, topics: Iterable[str]) -> None:
        """Make sure that no topic was made anew since the gate."""
        wanted = sorted(topics)
        ids = self._log.topic_ids(wanted)
        for topic in wanted:
            if topic not in ids:
                raise TopicMissingError(topic)
            landed_id, dataset = self._logs[topic].topic_id, self._contracts[topic].dataset
            plan.require_topic(dataset, topic, landed_id, ids[topic])

    def _take_over(self, topics: Iterable[str]) -> None:
        """Make this the driver that the raw tables of the topics name, where they stand."""
        for topic in topics:
            where = Move(self.starts[topic], self._logs[topic].topic_id)
            self._raw[topic].append([], {topic: where})

    def _commit_raw(
        self, moves: Mapping[str, Move], files: Mapping[str, list[WrittenFile]]
    ) -> None:
        """Commit every topic's table; the first failure is raised when all have been tried."""

        def commit(topic: str) -> Exception | None:
            table = self._raw[topic]
            mine = files.get(table.name, [])
            try:
                table.append(mine, {topic: self._noting_quarantine(topic, moves[topic])})
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

    def _noting_quarantine(self, topic: str, move: Move) -> Move:
        """The move of a raw table, with what quarantine has at that time."""
        known = self._quarantine.offsets.get(topic, TopicOffsets())
        ends = known.ends if known.topic_id == move.topic_id else {}
        return replace(move, quarantined=ends)

    def _delete(self, files: Iterable[WrittenFile]) -> None:
        for file in files:
            delete_quietly(self._quarantine.table, file.path)
