"""L7: every file of every kept snapshot is there, as long as recorded, and opens.

Manifest lists and manifests are read anew, past PyIceberg's cache; of a data file the size is
compared and the Parquet footer read, whose number of rows has to be the recorded one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pyarrow.parquet as pq
from pyiceberg.io import FileIO
from pyiceberg.manifest import (
    DataFile,
    FileFormat,
    ManifestEntryStatus,
    ManifestFile,
    read_manifest_list,
)
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from millrace.verify.errors import raise_if_away

#: A store answers many small requests at once; each thread waits most of its time.
THREADS = 8


@dataclass(frozen=True)
class Damage:
    """What is wrong with one file."""

    path: str
    text: str


@dataclass
class Files:
    """The files of one table.

    Attributes:
        number: files of the kept snapshots, of every kind.
        damages: what is wrong.
    """

    number: int = 0
    damages: list[Damage] = field(default_factory=list)


def check(table: Table, reload: Callable[[], Table]) -> Files:
    """Check every file; what is missing because its snapshot expired meanwhile is nothing wrong."""
    found = _check(table)
    if found.damages:
        fresh = reload()
        if not _kept(table) <= _kept(fresh):
            return _check(fresh)
    return found


def _kept(table: Table) -> set[int]:
    return {snapshot.snapshot_id for snapshot in table.snapshots()}


def _check(table: Table) -> Files:
    io, files = table.io, Files()
    current = table.metadata.current_snapshot_id
    manifests: dict[str, ManifestFile] = {}
    with ThreadPoolExecutor(THREADS) as pool:
        snapshots = list(table.snapshots())
        lists = pool.map(partial(_guarded, partial(_manifest_list, io)), snapshots)
        live: list[str] = []
        for snapshot, (listed, damage) in zip(snapshots, lists, strict=True):
            files.number += 1
            files.damages += _named(snapshot.manifest_list, damage)
            manifests |= {each.manifest_path: each for each in listed or ()}
            if snapshot.snapshot_id == current:
                live = [each.manifest_path for each in listed or ()]
        files.damages += _repeated(live, "is a manifest of the current snapshot twice")
        entries = pool.map(partial(_guarded, partial(_entries, io)), manifests.values())
        data: dict[str, DataFile] = {}
        live_paths: list[str] = []
        for path, (found, damage) in zip(manifests, entries, strict=True):
            files.number += 1
            files.damages += _named(path, damage)
            mine = [each.data_file for each in found or ()]
            for each in mine:
                files.damages += _conflict(data.setdefault(each.file_path, each), each)
            if path in live:
                live_paths += [each.file_path for each in mine]
        files.damages += _repeated(live_paths, "is live twice in the current snapshot")
        checked = pool.map(partial(_guarded, partial(_data_file, io)), data.values())
        for path, (said, damage) in zip(data, checked, strict=True):
            files.number += 1
            files.damages += _named(path, damage or said)
    return files


def _guarded(look: Callable[[Any], Any], subject: Any) -> tuple[Any, str | None]:
    """What a look gives, or why it could not; a store that is away is no damage."""
    try:
        return look(subject), None
    except FileNotFoundError:
        return None, "is not there"
    except Exception as error:  # damaged bytes raise whatever they happen to mean
        raise_if_away(error, "the store of the tables")
        return None, f"does not open: {type(error).__name__}: {error}"


def _named(path: str, text: str | None) -> list[Damage]:
    return [Damage(path, text)] if text else []


def _conflict(one: DataFile, other: DataFile) -> list[Damage]:
    """Where two manifests record one file differently."""
    said = [(each.file_size_in_bytes, each.record_count) for each in (one, other)]
    if said[0] == said[1]:
        return []
    text = "is recorded with {} bytes and {} rows, and with {} bytes and {} rows"
    return [Damage(one.file_path, text.format(*said[0], *said[1]))]


def _repeated(paths: Iterable[str], text: str) -> list[Damage]:
    seen: set[str] = set()
    twice = {path for path in paths if path in seen or seen.add(path)}  # type: ignore[func-returns-value]
    return [Damage(path, text) for path in sorted(twice)]


def _manifest_list(io: FileIO, snapshot: Snapshot) -> list[ManifestFile]:
    return list(read_manifest_list(io.new_input(snapshot.manifest_list)))


def _entries(io: FileIO, manifest: ManifestFile) -> list[Any]:
    """The entries that are not deletions."""
    size = len(io.new_input(manifest.manifest_path))
    if size != manifest.manifest_length:
        raise ValueError(f"it has {size} bytes, recorded are {manifest.manifest_length}")
    entries = manifest.fetch_manifest_entry(io, discard_deleted=False)
    return [each for each in entries if each.status != ManifestEntryStatus.DELETED]


def _data_file(io: FileIO, file: DataFile) -> str | None:
    """What is wrong with a data or delete file."""
    source = io.new_input(file.file_path)
    size = len(source)
    if size != file.file_size_in_bytes:
        return f"has {size} bytes, recorded are {file.file_size_in_bytes}"
    if file.file_format != FileFormat.PARQUET:
        return None
    with source.open() as stream:
        rows = pq.read_metadata(stream).num_rows
    return None if rows == file.record_count else f"has {rows} rows, not {file.record_count}"


def described(damages: Iterable[Damage]) -> Iterator[str]:
    """One line a damaged file."""
    return (f"{damage.path} {damage.text}" for damage in damages)
