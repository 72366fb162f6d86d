"""Every file that a table's metadata leads to, by the paths that are written there."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from pyiceberg.manifest import ManifestFile, read_manifest_list
from pyiceberg.table import Table

#: They wait for the store, not for this process.
THREADS = 8


def live_files(table: Table) -> set[str]:
    """Metadata files, manifest lists, manifests, data and delete files, and statistics.

    Of every snapshot that is kept, whichever branch it is on.
    """
    with ThreadPoolExecutor(THREADS) as pool:
        lists = [each.manifest_list for each in table.metadata.snapshots]
        manifests = {
            manifest.manifest_path: manifest
            for found in pool.map(lambda path: _manifests(table, path), lists)
            for manifest in found
        }
        found = {*_metadata(table), *lists, *manifests}
        for paths in pool.map(lambda each: list(_entries(table, each)), manifests.values()):
            found.update(paths)
    return found


def _metadata(table: Table) -> Iterator[str]:
    metadata = table.metadata
    yield table.metadata_location
    yield from (entry.metadata_file for entry in metadata.metadata_log)
    yield from (each.statistics_path for each in metadata.statistics)
    yield from (each.statistics_path for each in metadata.partition_statistics)


def _manifests(table: Table, path: str) -> list[ManifestFile]:
    return list(read_manifest_list(table.io.new_input(path)))


def _entries(table: Table, manifest: ManifestFile) -> Iterator[str]:
    for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
        yield entry.data_file.file_path
