"""One table that is landed into: its offsets, and the append that moves them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.table import Table

from millrace.lake import offsets as lake_offsets
from millrace.lake.commit import CommitRefusedError, UnknownResultError, commit_append
from millrace.lake.offsets import SUMMARY_KEY, Offsets, TopicOffsets
from millrace.landing.errors import OffsetsLostError, TableMissingError, TakenOverError
from millrace.landing.writer import WrittenFile

log = logging.getLogger(__name__)

WRITER_KEY = "millrace.writer"
#: A foreign commit between two tries is rare; as many in a row are a defect.
TRIES = 20
PAUSE_S = 0.2


@dataclass(frozen=True)
class Move:
    """How a batch moves the offsets of one topic.

    Attributes:
        ends: to where.
        topic_id: Kafka's id of the topic.
        quarantined: of a raw table, the ends that the quarantine table has; None leaves them.
    """

    ends: Mapping[int, int]
    topic_id: str
    quarantined: Mapping[int, int] | None = None


class LandedTable:
    """A raw table or the quarantine table.

    Attributes:
        name: `namespace.name`.
        table: as last seen or committed.
        offsets: how far it is landed, by topic.
        offsets_are_lost: no kept snapshot tells it.
    """

    def __init__(
        self, catalog: Catalog, name: str, writer: str = "", driver: str | None = None
    ) -> None:
        self._catalog = catalog
        self._writer = writer
        self._driver = driver
        self.name = name
        self.table: Table
        self.offsets: Offsets = {}
        self.offsets_are_lost = False

    def load(self) -> None:
        """Read the table and its offsets, lost or not.

        Raises:
            TableMissingError: there is no such table.
        """
        try:
            self.table = self._catalog.load_table(self.name)
        except NoSuchTableError:
            raise TableMissingError(self.name) from None
        known = lake_offsets.recorded(self.table)
        self.offsets, self.offsets_are_lost = known or {}, known is None

    def require_offsets(self) -> None:
        """Make sure that the table tells how far it is landed.

        Raises:
            OffsetsLostError: it does not.
        """
        if self.offsets_are_lost:
            raise OffsetsLostError(self.name)

    def append(
        self,
        files: Iterable[WrittenFile],
        moves: Mapping[str, Move],
        note: Mapping[str, str] | None = None,
    ) -> None:
        """Commit the files and the moved offsets as one snapshot.

        A foreign commit that leaves our offsets alone (maintenance) is no conflict: the same
        files are committed on top of it.

        Raises:
            OffsetsLostError: the table does not tell its offsets.
            TakenOverError: the offsets are no longer those this batch started from.
            UnknownResultError: the result could not be found out.
        """
        self.require_offsets()
        files = list(files)
        for _ in range(TRIES):
            moved = dict(self.offsets)
            for topic, move in moves.items():
                before = moved.get(topic, TopicOffsets())
                after = before.advanced(move.ends, move.topic_id, move.quarantined)
                moved[topic] = replace(after, driver=self._driver)
            summary = {SUMMARY_KEY: lake_offsets.dump(moved), WRITER_KEY: self._writer}
            try:
                self.table = commit_append(
                    self._catalog,
                    self.table,
                    [file.data_file() for file in files],
                    {**summary, **(note or {})},
                    self.table.metadata.current_snapshot_id,
                )
            except CommitRefusedError as refusal:
                log.info("%s: %s: looking again", self.name, refusal)
                if files and not self._tells_drivers_apart(moves, moved):
                    raise TakenOverError([self.name]) from refusal
                self._reload(files, moves)
                time.sleep(PAUSE_S)
            else:
                self._require_on_top(moved)
                self.offsets = moved
                return
        raise TakenOverError([self.name])

    def _tells_drivers_apart(self, moves: Mapping[str, Move], moved: Offsets) -> bool:
        """Whether the offsets would show that another driver has landed the same.

        An unfinished batch leaves quarantine's where they are.
        """
        return bool(moves) and all(moved[topic] != self.offsets.get(topic) for topic in moves)

    def _require_on_top(self, offsets: Offsets) -> None:
        """Make sure that what was committed is how far the table is landed now.

        After an unknown result the table is as it was found, perhaps with another driver's commit
        on top, on which nothing may be built that was planned from ours.

        Raises:
            UnknownResultError: it is not.
        """
        if lake_offsets.recorded(self.table) != offsets:
            raise UnknownResultError(self.name, "it arrived, and another commit is on top of it")

    def restate(self, offsets: Offsets, note: Mapping[str, str]) -> None:
        """Commit an empty snapshot that says how far the table is landed, whatever was said before.

        Raises:
            TakenOverError: the table has moved since it was loaded.
            UnknownResultError: the result could not be found out.
        """
        summary = {SUMMARY_KEY: lake_offsets.dump(offsets), WRITER_KEY: self._writer, **note}
        at = self.table.metadata.current_snapshot_id
        try:
            self.table = commit_append(self._catalog, self.table, [], summary, at)
        except CommitRefusedError as refusal:
            raise TakenOverError([self.name]) from refusal
        self._require_on_top(offsets)
        self.offsets, self.offsets_are_lost = offsets, False

    def _reload(self, files: list[WrittenFile], moves: Mapping[str, Move]) -> None:
        """Read the table again and make sure that the batch still fits it."""
        before, known = self.table.metadata, self.offsets
        self.load()
        self.require_offsets()
        now = self.table.metadata
        same_table = before.table_uuid == now.table_uuid
        same_offsets = all(self.offsets.get(topic) == known.get(topic) for topic in moves)
        same_layout = all(file.spec_id == now.default_spec_id for file in files)
        if not (same_table and same_offsets and same_layout):
            raise TakenOverError([self.name])
