"""Steps over tables: what each would do, and then its work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
from botocore.exceptions import BotoCoreError
from hive_metastore.ttypes import MetaException
from thrift.transport.TTransport import TTransportException

from millrace.errors import MillraceError
from millrace.maintenance import compact, expire, orphans, retention
from millrace.maintenance.errors import StoreError, UnknownTableError
from millrace.maintenance.lake import Lake, Work
from millrace.maintenance.lock import table_lock

#: In the order they are done: what a step leaves is tidied by a later one. Manifests go before
#: files, since a stream leaves one a commit, and files put together write all of them anew in each
#: try of their own commit: beside a stream that commits every two seconds, none would win.
STEPS: dict[str, Callable[[Lake, str], Work]] = {
    "retention": retention.plan_retention,
    "manifests": compact.plan_manifests,
    "compact": compact.plan_compact,
    "expire": expire.plan_expire,
    "orphans": orphans.plan_orphans,
}
#: What the clients of the stores and of the metastore raise. OSError is also that of WebHDFS and
#: of the object store's requests: a node that is gone, a full disk, a file that is missing.
STORES = (OSError, BotoCoreError, MetaException, TTransportException, pa.ArrowException)
WIDTH = max(map(len, STEPS))


def maintain(
    lake: Lake,
    locks: Path,
    tell: Callable[[str], None],
    tables: Sequence[str] = (),
    steps: Sequence[str] = (),
    *,
    dry_run: bool = False,
) -> list[MillraceError]:
    """Maintain the tables, one after the other.

    Args:
        locks: folder of the tables' locks.
        tell: is given each line for people.
        tables: `namespace.name`; none means all.
        steps: names of `STEPS`; none means all. They are done in their own order.
        dry_run: only say what would be done.

    Returns:
        What failed; a table's failure ends neither its other steps nor other tables.

    Raises:
        UnknownTableError: a table is asked for that the lake does not have.
    """
    known = lake.names()
    for name in tables:
        if name not in known:
            raise UnknownTableError(name, known)
    failures: list[MillraceError] = []
    for name in tables or known:
        tell(name)
        if dry_run:
            failures += _steps(lake, name, tell, steps, dry_run=True)
            continue
        with table_lock(locks, name) as holder:
            if holder is not None:
                tell(f"  left alone: {holder} is maintaining it")
                continue
            failures += _steps(lake, name, tell, steps, dry_run=False)
    return failures


def _steps(
    lake: Lake, name: str, tell: Callable[[str], None], steps: Sequence[str], *, dry_run: bool
) -> list[MillraceError]:
    failures: list[MillraceError] = []
    for step, plan in STEPS.items():
        if steps and step not in steps:
            continue
        try:
            work = plan(lake, name)
            tell(f"  {step:{WIDTH}}  {work.would}")
            for each in work.kept:
                tell(f"  {'':{WIDTH}}    {each}")
            if work.perform is not None and not dry_run:
                tell(f"  {'':{WIDTH}}  {work.perform()}")
        except (MillraceError, *STORES) as raised:
            error = raised if isinstance(raised, MillraceError) else StoreError(name, step, raised)
            tell(f"  {step:{WIDTH}}  failed: {error.cause}")
            failures.append(error)
    return failures
