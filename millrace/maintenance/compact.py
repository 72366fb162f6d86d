"""Small files put together, and manifests, by Trino.

Landing writes a file a batch and partition, so a day of a busy topic is tens of thousands. Trino
reads and writes one day of a raw table at a time, which bounds its memory. Its commit is Iceberg's
own rewrite: it is tried again on top of what landed meanwhile, and refused where the files it read
are gone.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from typing import Any

from pyiceberg.manifest import DataFile, ManifestContent
from pyiceberg.table import Table
from pyiceberg.transforms import DayTransform

from millrace.maintenance.carry import carry_forward
from millrace.maintenance.lake import Lake, Work, count, look_again, size

COMPACT, MANIFESTS = "compact", "manifests"
MB = 1_000_000
#: As many small files of one partition are worth a rewrite: with fewer, each night would write
#: yesterday's file again for a handful of late rows.
FEWEST_FILES = 5
#: A scan reads all manifests; a few more than partitions cost nothing.
FEWEST_MANIFESTS = 8
EPOCH = date(1970, 1, 1)

Partition = tuple[int, Any]


def plan_compact(lake: Lake, name: str) -> Work:
    """Put the small files of each partition together."""
    table = lake.load(name)
    crowded = _crowded(lake, table)
    if not crowded:
        return Work(f"nothing: no partition has {FEWEST_FILES} files below {_limit(lake)}")
    files = [file for found in crowded.values() for file in found]
    taken = size(sum(file.file_size_in_bytes for file in files))
    would = f"{len(files)} small files with {taken} in {count(len(crowded), 'partition')}"
    return Work(would, (), lambda: _compact(lake, name))


def plan_manifests(lake: Lake, name: str) -> Work:
    """Put the manifests of the current snapshot together."""
    found = _manifests(lake.load(name))
    if found < FEWEST_MANIFESTS:
        return Work(f"nothing: {count(found, 'manifest')}")
    return Work(f"{found} manifests into few", (), lambda: _rewrite_manifests(lake, name))


def _crowded(lake: Lake, table: Table) -> dict[Partition, list[DataFile]]:
    """The small files of each partition that has many."""
    found: dict[Partition, list[DataFile]] = defaultdict(list)
    for task in table.scan().plan_files():
        if task.file.file_size_in_bytes < lake.limits.small_file_mb * MB:
            found[task.file.spec_id, task.file.partition].append(task.file)
    return {each: files for each, files in found.items() if len(files) >= FEWEST_FILES}


def _compact(lake: Lake, name: str) -> str:
    table = lake.load(name)
    before = _files(table)
    crowded = _crowded(lake, table)
    limit = f"file_size_threshold => '{lake.limits.small_file_mb}MB'"
    for where in _conditions(table, list(crowded)):
        statement = f"alter table {_quoted(name)} execute optimize({limit}){where}"
        look_again(name, COMPACT, lambda each=statement: lake.engine.execute(each))  # type: ignore[misc]
    carry_forward(lake, name, COMPACT)
    return f"{count(before, 'file')} became {_files(lake.load(name))}"


def _rewrite_manifests(lake: Lake, name: str) -> str:
    before = _manifests(lake.load(name))
    statement = f"alter table {_quoted(name)} execute optimize_manifests"
    look_again(name, MANIFESTS, lambda: lake.engine.execute(statement))
    carry_forward(lake, name, MANIFESTS)
    return f"{count(before, 'manifest')} became {_manifests(lake.load(name))}"


def _conditions(table: Table, partitions: list[Partition]) -> list[str]:
    """The condition of each statement: a day of a table by days, else the whole table."""
    spec = table.spec()
    by_day = len(spec.fields) == 1 and isinstance(spec.fields[0].transform, DayTransform)
    if not by_day or any(spec_id != spec.spec_id for spec_id, _ in partitions):
        return [""] if partitions else []
    column = table.schema().find_column_name(spec.fields[0].source_id)
    days = sorted(EPOCH + timedelta(days=partition[0]) for _, partition in partitions)
    return [
        f" where {column} >= timestamp '{day} 00:00:00 UTC'"
        f" and {column} < timestamp '{day + timedelta(days=1)} 00:00:00 UTC'"
        for day in days
    ]


def _files(table: Table) -> int:
    return sum(1 for _ in table.scan().plan_files())


def _manifests(table: Table) -> int:
    current = table.current_snapshot()
    if current is None:
        return 0
    found = current.manifests(table.io)
    return sum(1 for each in found if each.content == ManifestContent.DATA)


def _limit(lake: Lake) -> str:
    return f"{lake.limits.small_file_mb} MB"


def _quoted(name: str) -> str:
    return ".".join(f'"{part}"' for part in ("iceberg", *name.split(".")))
