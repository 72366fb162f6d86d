"""A copy of a table that can be damaged and restored.

Every data file is copied byte by byte, and the metadata is made anew with the original's schemas
and field ids. The copy has two snapshots: all files but those that were landed last, then these;
each carries the offsets that the table had then. Restoring points the catalog back at the
undamaged metadata, so it costs one swap and no copying.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
from pyiceberg.expressions import AlwaysTrue, BooleanExpression
from pyiceberg.io import FileIO
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.manifest import DATA_FILE_TYPE, DEFAULT_READ_VERSION, DataFile
from pyiceberg.serializers import ToOutputFile
from pyiceberg.table import FileScanTask, Table
from pyiceberg.table.metadata import TableMetadata

from millrace.lake.commit import commit_append
from millrace.lake.offsets import SUMMARY_KEY, ancestors
from millrace.lake.rewrite import commit_rewrite
from millrace.landing.writer import TableWriter
from millrace.sabotage.grounds import Grounds, drop
from millrace.verify.rows import rows_of

#: Copies wait for the stores, not for this process.
THREADS = 8
#: Rows of one file to the rows that are to replace them.
Edit = Callable[[pa.Table], pa.Table]


class CopiedTable:
    """A table in the namespace of the copies.

    Attributes:
        name: `sabotage.<name>`.
        table: the copy as it is now.
        versions: the metadata files of the undamaged copy, the newest last.
        newest: the files that only the newest version has.
    """

    def __init__(self, grounds: Grounds, source: Table, tier: str, name: str) -> None:
        self._grounds = grounds
        self._source = source
        self._location = grounds.location(tier, name)
        self._removed: dict[str, bytes] = {}
        self.name = grounds.table(name)
        self.table: Table
        self.versions: list[str] = []
        self.newest: list[str] = []

    def copy(self, only: BooleanExpression | None = None) -> None:
        """Copy the files that may hold rows of the filter, and make the table."""
        tasks = list(self._source.scan(row_filter=only or AlwaysTrue()).plan_files())
        older, newer = split_off_newest(self._source, [task.file.file_path for task in tasks])
        self._register(_without_history(self._source.metadata, self._location))
        with ThreadPoolExecutor(THREADS) as pool:
            files = list(pool.map(self._copy_file, tasks))
        copies = dict(zip((task.file.file_path for task in tasks), files, strict=True))
        self.newest = [copies[path].file_path for path in newer]
        for paths, summary in zip((older, newer), _summaries(self._source), strict=True):
            head = self.table.metadata.current_snapshot_id
            added = [copies[path] for path in paths]
            self.table = commit_append(self._grounds.catalog, self.table, added, summary, head)
            self.versions.append(self.table.metadata_location)

    def rows(self, path: str) -> pa.Table:
        """The rows of one file, in the table's present columns."""
        return _read(self.table, self._task(path), ("*",))

    def every_file(self, columns: Iterable[str]) -> dict[str, pa.Table]:
        """Path to rows, of every file."""
        tasks = list(self.table.scan().plan_files())
        with ThreadPoolExecutor(THREADS) as pool:
            rows = pool.map(lambda task: _read(self.table, task, columns), tasks)
            return dict(zip((task.file.file_path for task in tasks), rows, strict=True))

    def edit(self, edits: Mapping[str, Edit]) -> None:
        """Replace files by edited ones, in one snapshot."""
        tasks = [self._task(path) for path in edits]
        added = []
        for task in tasks:
            rows = edits[task.file.file_path](_read(self.table, task, ("*",)))
            if rows.num_rows:
                added += self._write(rows)
        self._rewrite([task.file for task in tasks], added)

    def add(self, rows: pa.Table) -> None:
        """Add rows in files of their own."""
        self._rewrite([], self._write(rows))

    def remove_file(self, path: str) -> None:
        """Delete a data file behind the table's back."""
        self._grounds.require_inside(path)
        self._removed[path] = _content(self.table.io, path)
        self.table.io.delete(path)

    def point_to(self, version: str) -> None:
        """Make the catalog point at a metadata file of the copy."""
        self._grounds.require_inside(self.name, version)
        drop(self._grounds.catalog, self.name)
        self.table = self._grounds.catalog.register_table(self.name, version)

    def restore(self) -> None:
        """Undo every damage."""
        for path, content in self._removed.items():
            _put(self.table.io, path, content)
        self._removed.clear()
        if self.table.metadata_location != self.versions[-1]:
            self.point_to(self.versions[-1])

    def _register(self, metadata: TableMetadata) -> None:
        path = f"{self._location}/metadata/00000-{uuid.uuid4()}.metadata.json"
        self._grounds.require_inside(path)
        ToOutputFile.table_metadata(metadata, self._source.io.new_output(path))
        self.table = self._grounds.catalog.register_table(self.name, path)

    def _copy_file(self, task: FileScanTask) -> DataFile:
        if task.delete_files:  # of another engine: the rows that are left become a file
            (written,) = self._write(_read(self._source, task, ("*",)))
            return written
        path = f"{self._location}/data/{uuid.uuid4().hex}.parquet"
        self._grounds.require_inside(path)
        _put(self._source.io, path, _content(self._source.io, task.file.file_path))
        arguments = {
            field.name: getattr(task.file, field.name)
            for field in DATA_FILE_TYPE[DEFAULT_READ_VERSION].fields
        }
        arguments["file_path"] = path
        return DataFile.from_args(**arguments, spec_id=task.file.spec_id)

    def _task(self, path: str) -> FileScanTask:
        tasks = self.table.scan().plan_files()
        return next(task for task in tasks if task.file.file_path == path)

    def _write(self, rows: pa.Table) -> list[DataFile]:
        self._grounds.require_inside(f"{self.table.location()}/")
        writer = TableWriter(self.name, self.table.metadata, self.table.io)
        writer.write(rows.cast(writer.arrow_schema))
        return [file.data_file() for file in writer.close()]

    def _rewrite(self, removed: list[DataFile], added: list[DataFile]) -> None:
        self._grounds.require_inside(self.name)
        head = self.table.metadata.current_snapshot_id
        assert head is not None
        self.table = commit_rewrite(self._grounds.catalog, self.table, removed, added, {}, head)


def split_off_newest(table: Table, paths: list[str]) -> tuple[list[str], list[str]]:
    """The files that the last snapshot with any of them added, apart from the others.

    Where one snapshot added all, the last file stands apart.
    """
    current = table.current_snapshot()
    added_by = {
        entry.data_file.file_path: entry.snapshot_id
        for manifest in (current.manifests(table.io) if current else [])
        for entry in manifest.fetch_manifest_entry(table.io)
    }
    for snapshot in ancestors(table):
        newer = {path for path in paths if added_by[path] == snapshot.snapshot_id}
        if newer and len(newer) < len(paths):
            return [path for path in paths if path not in newer], sorted(newer)
        if newer:
            break
    return paths[:-1], paths[-1:]


def _summaries(table: Table) -> tuple[dict[str, str], dict[str, str]]:
    """The offsets before the newest landing, and those the table has now."""
    texts = [
        text
        for snapshot in ancestors(table)
        if snapshot.summary and (text := snapshot.summary.get(SUMMARY_KEY))
    ]
    if not texts:
        return {}, {}
    return {SUMMARY_KEY: texts[min(1, len(texts) - 1)]}, {SUMMARY_KEY: texts[0]}


def _without_history(metadata: TableMetadata, location: str) -> TableMetadata:
    """The metadata of an empty table elsewhere, with the same schemas, ids and partitioning."""
    return metadata.model_copy(
        update={
            "location": location,
            "table_uuid": uuid.uuid4(),
            "snapshots": [],
            "snapshot_log": [],
            "metadata_log": [],
            "refs": {},
            "statistics": [],
            "partition_statistics": [],
            "current_snapshot_id": None,
            "last_sequence_number": 0,
        }
    )


def _read(table: Table, task: FileScanTask, columns: Iterable[str]) -> pa.Table:
    """The rows as they are: PyIceberg's own reading makes empty lists of null ones."""
    schema = table.scan(selected_fields=tuple(columns)).projection()
    arrow = schema_to_pyarrow(schema, include_field_ids=False)
    parts = [pa.Table.from_batches([each]).cast(arrow) for each in rows_of(task, schema, table.io)]
    return pa.concat_tables(parts) if parts else arrow.empty_table()


def _content(io: FileIO, path: str) -> bytes:
    with io.new_input(path).open() as file:
        return file.read()


def _put(io: FileIO, path: str, content: bytes) -> None:
    with io.new_output(path).create(overwrite=True) as file:
        file.write(content)
