"""One append, committed once: compare and swap on the snapshot it was planned from.

`commit_produced` is the swap itself, for whatever produces the snapshot (see `rewrite`).

PyIceberg's own transaction retries a lost race by itself and then succeeds, which is a doubled
landing. Here a commit is refused as soon as the table has moved, and the caller decides. An
unknown result (the connection broke) is resolved by looking for our snapshot in the table; trying
again is safe then, because both tries swap the same snapshot and at most one can win. From then on
nothing counts as refused: an earlier try may win later, or have won and been expired since, and
what it wrote must not be deleted.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import CommitFailedException, NoSuchTableError
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from pyiceberg.table.update import AssertTableUUID, TableRequirement, TableUpdate
from pyiceberg.table.update.snapshot import _SnapshotProducer

from millrace.errors import TransientError
from millrace.lake.offsets import ancestors

log = logging.getLogger(__name__)

#: How long an unknown result is looked into: a metastore that was killed is back in 10 to 60 s.
LOOK_FOR_S = 180.0
LOOK_EVERY_S = 1.0


class CommitRefusedError(Exception):
    """The table is not at the snapshot the append was planned from. Nothing was committed."""


class UnknownResultError(TransientError):
    """Whether the append is in the table could not be found out."""

    def __init__(self, table: str, cause: str) -> None:
        super().__init__(f"commit to {table}", f"its result is not known: {cause}", "make status")


def commit_append(
    catalog: Catalog,
    table: Table,
    data_files: Iterable[DataFile],
    summary: Mapping[str, str],
    expected_snapshot_id: int | None,
) -> Table:
    """Append the files as one snapshot, only if the table still is at the expected one.

    Args:
        table: as loaded when the append was planned.
        data_files: written already; none is allowed, then the snapshot only carries the summary.
        summary: properties of the snapshot.
        expected_snapshot_id: the current snapshot at planning, None for an empty table.

    Returns:
        The table with the new snapshot.

    Raises:
        CommitRefusedError: the table is at another snapshot, or is another table.
        UnknownResultError: the catalog could not be asked in time whether the commit arrived.
    """
    require_at(table, expected_snapshot_id)
    producer = table.transaction().update_snapshot(snapshot_properties=dict(summary)).fast_append()
    for data_file in data_files:
        producer.append_data_file(data_file)
    return commit_produced(catalog, table, producer)


def require_at(table: Table, expected_snapshot_id: int | None) -> None:
    """Make sure that the loaded table is at the snapshot the commit was planned from.

    Raises:
        CommitRefusedError: it is at another one.
    """
    at = table.metadata.current_snapshot_id
    if at != expected_snapshot_id:
        raise CommitRefusedError(f"{'.'.join(table.name())} is at {at}")


def commit_produced(catalog: Catalog, table: Table, producer: _SnapshotProducer[Any]) -> Table:
    """Commit the snapshot that a producer makes of the loaded table, as `commit_append` does."""
    updates, requirements = producer._commit()
    requirements = (*requirements, AssertTableUUID(uuid=table.metadata.table_uuid))
    try:
        return _swap(catalog, table, requirements, updates, producer.snapshot_id)
    except CommitRefusedError:
        _discard(table, producer)
        raise


def _swap(
    catalog: Catalog,
    table: Table,
    requirements: tuple[TableRequirement, ...],
    updates: tuple[TableUpdate, ...],
    snapshot_id: int,
) -> Table:
    """Commit until the result is known."""
    name = ".".join(table.name())
    deadline = time.monotonic() + LOOK_FOR_S
    pending = False
    while True:
        try:
            response = catalog.commit_table(table, requirements, updates)
        except (CommitFailedException, NoSuchTableError) as error:
            failure: Exception = error
        except Exception as error:  # any class of the transport: the result is unknown
            log.warning("commit to %s: unknown result: %r", name, error)
            failure, pending = error, True
        else:
            _drop_old_metadata(catalog, table, response.metadata)
            table.metadata = response.metadata
            table.metadata_location = response.metadata_location
            return table
        # A refusal is looked into as well: it may be our own earlier try that won.
        current = _look(lambda: catalog.load_table(table.name()), name, deadline)
        if current.metadata.snapshot_by_id(snapshot_id) is not None:
            if all(each.snapshot_id != snapshot_id for each in ancestors(current)):
                raise UnknownResultError(name, "it was committed, and rolled back since")
            return current
        moved = _moved(table, current)
        if not pending and (moved or isinstance(failure, CommitFailedException)):
            raise CommitRefusedError(f"{name}: {failure}") from failure
        if moved or time.monotonic() > deadline:
            raise UnknownResultError(name, repr(failure)) from failure
        time.sleep(LOOK_EVERY_S)


def _look(load: Callable[[], Table], name: str, deadline: float) -> Table:
    """Load the table, waiting for a catalog that does not answer."""
    while True:
        try:
            return load()
        except NoSuchTableError as error:
            raise CommitRefusedError(f"{name} is gone") from error
        except Exception as error:  # any class of the transport
            if time.monotonic() > deadline:
                raise UnknownResultError(name, repr(error)) from error
            time.sleep(LOOK_EVERY_S)


def _moved(planned: Table, current: Table) -> bool:
    return (planned.metadata.table_uuid, planned.metadata.current_snapshot_id) != (
        current.metadata.table_uuid,
        current.metadata.current_snapshot_id,
    )


def _discard(table: Table, producer: _SnapshotProducer[Any]) -> None:
    """Delete the manifests of a refused commit; what can not be deleted is the cleaner's."""
    for path in (*producer._written_manifests, *producer._written_manifest_lists):
        delete_quietly(table, path)


def delete_quietly(table: Table, path: str) -> None:
    """Delete a file that no snapshot refers to; a failure leaves an orphan and is logged."""
    try:
        table.io.delete(path)
    except Exception as error:  # whatever the store raises: an orphan is harmless
        log.warning("orphan left behind: %s: %r", path, error)


def _drop_old_metadata(catalog: Catalog, base: Table, metadata: object) -> None:
    """Honour `write.metadata.delete-after-commit.enabled`, as PyIceberg's own commit does."""
    try:
        catalog._delete_old_metadata(base.io, base.metadata, metadata)  # type: ignore[arg-type]
    except Exception as error:  # the commit has succeeded: only old files stay behind
        log.warning("old metadata of %s stays: %r", base.name(), error)
