"""Data files replaced by others, committed once: for marks on rows, replays and maintenance.

The commit is the same compare and swap as that of an append (`commit`), so a rewrite and a landing
batch that were planned from one snapshot can not both succeed: one is refused and looks again. The
snapshot carries the landing's offsets of its nearest ancestor on, so that a rewritten table tells
how far it is landed even after an expiry has cut its history behind the rewrite.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import ValidationException
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Operation

from millrace.lake.commit import CommitRefusedError, commit_produced, require_at
from millrace.lake.offsets import SUMMARY_KEY, recorded_text


def commit_rewrite(
    catalog: Catalog,
    table: Table,
    removed: Iterable[DataFile],
    added: Iterable[DataFile],
    summary: Mapping[str, str],
    expected_snapshot_id: int,
) -> Table:
    """Replace data files as one snapshot, only if the table still is at the expected one.

    Args:
        table: as loaded when the rewrite was planned.
        removed: live data files of the expected snapshot, as its manifests describe them.
        added: written already, in the table's present partitioning; they hold every row of the
            removed files that is to stay.
        summary: further properties of the snapshot; the landing's offsets need not be among them.
        expected_snapshot_id: the current snapshot at planning.

    Returns:
        The table with the new snapshot. The removed files stay on the store until an expiry.

    Raises:
        CommitRefusedError: the table is at another snapshot, is another table, or does not have a
            file that was to be removed.
        UnknownResultError: the catalog could not be asked in time whether the commit arrived.
    """
    require_at(table, expected_snapshot_id)
    carried = recorded_text(table)
    properties = {**({SUMMARY_KEY: carried} if carried is not None else {}), **summary}
    producer = table.transaction().update_snapshot(snapshot_properties=properties).overwrite()
    for data_file in removed:
        producer.delete_data_file(data_file)
    added = list(added)
    for data_file in added:
        producer.append_data_file(data_file)
    if not added:
        # Rows only went: who reads a table's snapshots one after the other need not read it anew.
        producer._operation = Operation.DELETE
    try:
        return commit_produced(catalog, table, producer)
    except ValidationException as error:  # before anything was written
        raise CommitRefusedError(f"{'.'.join(table.name())}: {error}") from error
