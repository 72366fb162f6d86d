"""Old snapshots forgotten: those that nobody can need any more.

The guard keeps a snapshot that is current, tagged or the head of a branch; that is younger than the
longest job or reader; that holds what landing or a processed table looks for at its next start; and
every one between the current and such a one, because ancestors are found step by step. The files
stay: `orphans` deletes them when they are old enough.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table
from pyiceberg.table.refs import MAIN_BRANCH
from pyiceberg.table.update import (
    AssertRefSnapshotId,
    AssertTableUUID,
    RemoveSnapshotsUpdate,
)

from millrace.lake.commit import CommitRefusedError
from millrace.maintenance.carry import carry_forward, hidden
from millrace.maintenance.lake import Lake, Work, count, line, look_again, made_at, note
from millrace.maintenance.readers import needed_by_landing, read_last, unread
from millrace.processed import READ_UP_TO

STEP = "expire"
#: PyIceberg looks each one up in a list; a day of landing is tens of thousands.
MOST_AT_ONCE = 500


def plan_expire(lake: Lake, name: str) -> Work:
    """Expire every snapshot that the guard does not keep."""
    table = lake.load(name)
    kept, notes = guard(lake, name, table)
    old = _old(table, kept)
    reasons = (*_told(kept), *notes)
    carried = ", after carrying on what they remember" if hidden(table) else ""
    if not old and not carried:
        return Work("nothing", reasons)
    would = f"{count(len(old), 'snapshot')} of {len(table.metadata.snapshots)}{carried}"
    return Work(would, reasons, lambda: _expire(lake, name))


def guard(lake: Lake, name: str, table: Table) -> tuple[dict[int, str], tuple[str, ...]]:
    """Snapshot to the first reason to keep it, and what else is to be said."""
    kept: dict[int, str] = {}
    current = table.current_snapshot()
    if current is not None:
        kept[current.snapshot_id] = "current"
    for ref_name, ref in table.metadata.refs.items():
        if ref_name != MAIN_BRANCH:
            kept.setdefault(ref.snapshot_id, f"the {ref.snapshot_ref_type} {ref_name}")
    hours = lake.limits.longest_job_hours
    youngest = lake.now - timedelta(hours=hours)
    for snapshot in table.metadata.snapshots:
        if made_at(snapshot) >= youngest:
            kept.setdefault(snapshot.snapshot_id, f"younger than {hours:g} h, the longest job")
    needed, why = needed_by_landing(lake, name, table)
    _keep(kept, needed, why)
    _keep(kept, _reading(table), "what was read last")
    notes = _keep_unread(lake, name, table, kept)
    _keep(kept, _between(table, kept), "between others that are kept")
    return kept, notes


def _reading(table: Table) -> set[int]:
    """Back to the snapshot in which a processed table says what it has read."""
    found: set[int] = set()
    for snapshot in line(table):
        found.add(snapshot.snapshot_id)
        if note(snapshot, READ_UP_TO) is not None:
            return found
    return set()


def _keep_unread(lake: Lake, name: str, table: Table, kept: dict[int, str]) -> tuple[str, ...]:
    """Keep what processed tables have still to read, and the snapshot they go on from."""
    notes = []
    oldest = lake.now - timedelta(days=lake.limits.reader_days)
    lined = {snapshot.snapshot_id: made_at(snapshot) for snapshot in line(table)}
    for reader, position in read_last(lake, name).items():
        if position not in lined:
            continue  # it reads the whole table next, whatever is kept
        ahead = unread(table, position)
        if min((lined[each] for each in ahead), default=lake.now) < oldest:
            days = lake.limits.reader_days
            notes.append(f"{reader} has not read for {days:g} days: it will read all of {name}")
            continue
        _keep(kept, {position, *ahead}, f"{reader} has still to read")
    return tuple(notes)


def _between(table: Table, kept: dict[int, str]) -> set[int]:
    """The line from the current snapshot to the oldest of it that is kept for more than a name."""
    lined = [snapshot.snapshot_id for snapshot in line(table)]
    named = {ref.snapshot_id for name, ref in table.metadata.refs.items() if name != MAIN_BRANCH}
    needed = kept.keys() - named
    deepest = max((at for at, each in enumerate(lined) if each in needed), default=0)
    return set(lined[: deepest + 1])


def _keep(kept: dict[int, str], snapshots: set[int], why: str) -> None:
    for snapshot in snapshots:
        kept.setdefault(snapshot, why)


def _old(table: Table, kept: dict[int, str]) -> list[int]:
    """What may go, oldest first."""
    by_age = sorted(table.metadata.snapshots, key=made_at)
    return [each.snapshot_id for each in by_age if each.snapshot_id not in kept]


def _told(kept: dict[int, str]) -> tuple[str, ...]:
    """How many are kept for each reason."""
    reasons = Counter(kept.values())
    return tuple(f"keeps {number}: {why}" for why, number in reasons.items())


def _expire(lake: Lake, name: str) -> str:
    carry_forward(lake, name, STEP)
    gone = 0
    while number := look_again(name, STEP, lambda: _expire_some(lake, name)):
        gone += number
    return f"expired {count(gone, 'snapshot')}; their files go with the orphans"


def _expire_some(lake: Lake, name: str) -> int:
    """Expire the oldest, only if the table still is as it was looked at."""
    table = lake.load(name)
    kept, _ = guard(lake, name, table)
    old = _old(table, kept)[:MOST_AT_ONCE]
    if not old:
        return 0
    requirements = (
        AssertTableUUID(uuid=table.metadata.table_uuid),
        AssertRefSnapshotId(ref=MAIN_BRANCH, snapshot_id=table.metadata.current_snapshot_id),
    )
    try:
        lake.catalog.commit_table(table, requirements, (RemoveSnapshotsUpdate(snapshot_ids=old),))
    except CommitFailedException as error:
        raise CommitRefusedError(str(error)) from error
    except ValueError as error:  # another run has expired one of them
        raise CommitRefusedError(str(error)) from error
    return len(old)
