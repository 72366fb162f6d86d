"""Files in a table's folder that no kept snapshot has: of killed writers and expired snapshots.

Two things would make a file in use look like an orphan, and both are refused or waited out: its
snapshot is still being made (no file goes that is younger than the longest job), and its folder is
listed by another name than its metadata gives it (`s3` and `s3a`, a name service and a host). The
folder is listed before the table is loaded, so what is committed in between is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from pyiceberg.io.fsspec import FsspecFileIO
from pyiceberg.table import Table

from millrace.maintenance.errors import NamesDifferError, SharedFolderError
from millrace.maintenance.lake import Lake, Work, count, size
from millrace.maintenance.live_files import THREADS, live_files

STEP = "orphans"
#: Names of them that the plan shows.
SHOWN = 3


@dataclass(frozen=True)
class Stored:
    """A file as its store lists it."""

    path: str
    bytes: int
    changed_at: datetime


def plan_orphans(lake: Lake, name: str) -> Work:
    """Delete the old files of the table's folder that no kept snapshot has.

    Raises:
        NamesDifferError: the table's files are named otherwise than its folder.
        SharedFolderError: another table lives there as well.
    """
    orphans, young = _find(lake, name)
    hours = lake.limits.orphan_hours
    kept = (f"keeps {_sum(young)} younger than {hours:g} h: a job may need them",) if young else ()
    if not orphans:
        return Work("nothing", kept)
    would = f"{_sum(orphans)} older than {hours:g} h, such as "
    would += ", ".join(each.path.rpartition("/")[2] for each in orphans[:SHOWN])
    return Work(would, kept, lambda: _delete(lake, name))


def _find(lake: Lake, name: str) -> tuple[list[Stored], list[Stored]]:
    """Old files that no snapshot has, and young ones."""
    location = lake.load(name).location().rstrip("/")
    _require_own_folder(lake, name, location)
    files = list(stored_files(lake.load(name), location))
    table = lake.load(name)
    live = live_files(table)
    for path in live:
        if _store(path) != _store(location):
            raise NamesDifferError(name, location, path)
    oldest = lake.now - timedelta(hours=lake.limits.orphan_hours)
    dead = [each for each in files if each.path not in live]
    return (
        [each for each in dead if each.changed_at < oldest],
        [each for each in dead if each.changed_at >= oldest],
    )


def _store(path: str) -> tuple[str, str]:
    address = urlsplit(path)
    return address.scheme, address.netloc


def _require_own_folder(lake: Lake, name: str, location: str) -> None:
    mine = _folder(location)
    for other, place in lake.locations().items():
        its = _folder(place)
        if other != name and (mine.startswith(its) or its.startswith(mine)):
            raise SharedFolderError(name, location, other)


def _folder(location: str) -> str:
    """One name for all names of a folder: two hosts of HDFS may be one, two buckets are not."""
    address = urlsplit(location)
    kind = "s3" if address.scheme in ("s3", "s3a", "s3n") else address.scheme
    bucket = address.netloc if kind == "s3" else ""
    return f"{kind}:{bucket}{address.path.rstrip('/')}/"


def stored_files(table: Table, location: str) -> Iterator[Stored]:
    """Every file below the folder."""
    address = urlsplit(location)
    assert isinstance(table.io, FsspecFileIO)
    files = table.io.get_fs(address.scheme or "file", address.hostname)
    root = str(files._strip_protocol(location)).rstrip("/")
    for path, entry in files.find(root, detail=True).items():
        yield Stored(location + path[len(root) :], int(entry["size"]), _changed_at(entry))


def _changed_at(entry: dict[str, Any]) -> datetime:
    """When a file was last written: as HDFS, S3 or a local disk says it."""
    if "modificationTime" in entry:
        return datetime.fromtimestamp(entry["modificationTime"] / 1000, UTC)
    if "LastModified" in entry:
        changed: datetime = entry["LastModified"]
        return changed
    return datetime.fromtimestamp(entry["mtime"], UTC)


def _delete(lake: Lake, name: str) -> str:
    orphans, _ = _find(lake, name)
    io = lake.load(name).io
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(io.delete, [each.path for each in orphans]))
    return f"deleted {_sum(orphans)}"


def _sum(files: list[Stored]) -> str:
    return f"{count(len(files), 'file')} with {size(sum(each.bytes for each in files))}"
