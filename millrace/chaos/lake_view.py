"""What the lake holds at a moment, asked of the metastore itself and never through the proxy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pyiceberg.expressions import And, EqualTo
from pyiceberg.io import load_file_io
from pyiceberg.serializers import FromInputFile
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from millrace.chaos.load import Position
from millrace.chaos.thrift_calls import METADATA_LOCATION, Call
from millrace.lake import catalog, io_properties
from millrace.landing.landed_table import WRITER_KEY
from millrace.settings import Settings


@dataclass(frozen=True)
class Planned:
    """A commit as its call describes it, whether or not it arrived.

    Attributes:
        location: the metadata file it points to.
        replaces: the one it was planned from.
        snapshot_id: of the snapshot it adds.
        files: the data files of that snapshot.
        writer: the application that made it.
    """

    location: str
    replaces: str
    snapshot_id: int
    files: tuple[str, ...]
    writer: str


class LakeView:
    """Reads tables and files of the lake; keeps what can not change.

    It looks often: a metadata file is read once, and a snapshot is searched once for a record.
    """

    def __init__(self, settings: Settings) -> None:
        self._catalog = catalog(settings)
        self._io = load_file_io(io_properties(settings))
        self._tables: dict[str, Table] = {}
        self._searched: set[tuple[str, Position]] = set()

    def load(self, table: str) -> Table:
        """The table as it is now."""
        known = self._tables.get(table)
        if known is None or known.metadata_location != self.pointer(table):
            known = self._tables[table] = self._catalog.load_table(table)
        return known

    def pointer(self, table: str) -> str:
        """The metadata file that the metastore points to."""
        database, _, name = table.partition(".")
        with self._catalog._client as client:
            return str(client.get_table(database, name).parameters[METADATA_LOCATION])

    def writers(self, table: str) -> Mapping[int, str]:
        """Snapshot that has landed rows to the application that committed it, as far as kept."""
        return writers_of(self.load(table).snapshots())

    def has_snapshot(self, table: str, snapshot_id: int) -> bool:
        """Whether a snapshot is in the table."""
        return self.load(table).snapshot_by_id(snapshot_id) is not None

    def exists(self, path: str) -> bool:
        """Whether a file is in its store."""
        return bool(self._io.new_input(path).exists())

    def planned(self, call: Call) -> Planned:
        """What a change of a table would commit, from the metadata file it has written already."""
        metadata = FromInputFile.table_metadata(self._io.new_input(call.new_location))
        snapshot = metadata.current_snapshot()
        assert snapshot is not None
        mine = snapshot.snapshot_id
        files = tuple(
            entry.data_file.file_path
            for manifest in snapshot.manifests(self._io)
            if manifest.added_snapshot_id == mine
            for entry in manifest.fetch_manifest_entry(self._io)
            if entry.snapshot_id == mine
        )
        writer = snapshot.summary[WRITER_KEY] if snapshot.summary else None
        return Planned(call.new_location, call.old_location, mine, files, str(writer))

    def holds(self, table: str, position: Position) -> bool:
        """Whether the table has the row of a position of its topic."""
        pointer = self.pointer(table)
        if (pointer, position) in self._searched:
            return False
        wanted = And(
            EqualTo(term="kafka_partition", value=position.partition),
            EqualTo(term="kafka_offset", value=position.offset),
        )
        scan = self.load(table).scan(row_filter=wanted, selected_fields=("kafka_offset",))
        found = bool(scan.to_arrow().num_rows)
        if not found:
            self._searched.add((pointer, position))
        return found


def writers_of(snapshots: Iterable[Snapshot]) -> dict[int, str]:
    """Snapshot with rows to the application that its summary names."""
    # Not by `in`, which is true of any key: a summary gives None for what it has not.
    return {
        each.snapshot_id: writer
        for each in snapshots
        if each.summary
        and each.summary.get("added-records")
        and (writer := each.summary.get(WRITER_KEY))
    }
