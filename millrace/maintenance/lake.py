"""What every step is given: the tables, who reads them, the clock, and the engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from millrace.contracts import Contract
from millrace.contracts.places import NAMESPACES
from millrace.lake.commit import CommitRefusedError
from millrace.maintenance.errors import ConflictError, UnknownTableError
from millrace.settings import Maintenance

WRITER = "millrace maintain"
#: A commit takes up to a second and a landing stream makes one every two: a look or two later the
#: way is free. As many in a row tell of a writer that never pauses.
TRIES = 20
PAUSE_S = 0.3

Result = TypeVar("Result")


class Engine(Protocol):
    """What rewrites big tables."""

    def execute(self, statement: str) -> None:
        """Run one statement to its end.

        Raises:
            CommitRefusedError: its commit lost against another one; nothing was changed.
        """


@dataclass(frozen=True)
class Work:
    """What a step would do to a table.

    Attributes:
        would: one line for people.
        kept: what it leaves alone that one might expect to go, and why.
        perform: does it and says what was done; None where there is nothing to do.
    """

    would: str
    kept: tuple[str, ...] = ()
    perform: Callable[[], str] | None = None


class Lake:
    """The tables of all layers."""

    def __init__(
        self,
        catalog: Catalog,
        contracts: Mapping[str, Contract],
        limits: Maintenance,
        engine: Engine,
        now: datetime | None = None,
    ) -> None:
        self.catalog = catalog
        self.contracts = contracts
        self.limits = limits
        self.engine = engine
        self._now = now
        self._locations: dict[str, str] = {}

    @property
    def now(self) -> datetime:
        """The time that ages are counted from."""
        return self._now or datetime.now(UTC)

    def midnight_before(self, days: int) -> datetime:
        """The beginning of the UTC day that was so many days ago."""
        day = self.now.replace(hour=0, minute=0, second=0, microsecond=0)
        return day - timedelta(days=days)

    def names(self) -> list[str]:
        """Every Iceberg table of the layers."""
        found = []
        for namespace in NAMESPACES:
            try:
                listed = self.catalog.list_tables(namespace)
            except NoSuchNamespaceError:
                continue
            found += sorted(".".join(identifier) for identifier in listed)
        return found

    def locations(self) -> dict[str, str]:
        """Table to its folder, as they were when this was asked first."""
        if not self._locations:
            tables = ((name, self.find(name)) for name in self.names())
            self._locations = {name: each.location() for name, each in tables if each is not None}
        return self._locations

    def load(self, name: str) -> Table:
        """The table as it is now.

        Raises:
            UnknownTableError: there is none.
        """
        try:
            return self.catalog.load_table(name)
        except NoSuchTableError:
            raise UnknownTableError(name, self.names()) from None

    def find(self, name: str) -> Table | None:
        """The table, None where there is none."""
        try:
            return self.catalog.load_table(name)
        except NoSuchTableError:
            return None


def look_again(name: str, step: str, action: Callable[[], Result]) -> Result:
    """Repeat an action that reads the table and commits, until no other commit comes between.

    Raises:
        ConflictError: it never got through.
    """
    refusal = ""
    for _ in range(TRIES):
        try:
            return action()
        except CommitRefusedError as error:
            refusal = str(error)
            time.sleep(PAUSE_S)
    raise ConflictError(name, step, refusal)


def line(table: Table, start: Snapshot | None = None) -> Iterator[Snapshot]:
    """The current snapshot, or a given one, and those before it, as far as they are kept."""
    snapshot = table.current_snapshot() if start is None else start
    while snapshot is not None:
        yield snapshot
        parent = snapshot.parent_snapshot_id
        snapshot = table.snapshot_by_id(parent) if parent is not None else None


def note(snapshot: Snapshot, key: str) -> str | None:
    """What a snapshot's summary says under a key."""
    text: str | None = snapshot.summary.get(key) if snapshot.summary else None
    return text


def made_at(snapshot: Snapshot) -> datetime:
    """When a snapshot was made."""
    return datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC)


def size(number: float) -> str:
    """Bytes for people."""
    for unit in ("B", "kB", "MB"):
        if number < 1000:  # noqa: PLR2004
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"


def count(number: int, thing: str) -> str:
    """A number and its thing, in the plural where it is none."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
