"""A metastore in memory behind the real catalog, for every test that commits to a table."""

from __future__ import annotations

import copy
import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hive_metastore.ThriftHiveMetastore import Client
from hive_metastore.ttypes import LockState, MetaException, NoSuchObjectException

from millrace.lake import LakeCatalog
from millrace.lake.hive import _SwapConnection


class Metastore:
    """What `LakeCatalog` calls of a metastore: tables, locks, and the swap of HMS 4.0.0.

    Attributes:
        fail: called at each change of a table, before and after it; may raise.
    """

    def __init__(self) -> None:
        self.tables: dict[tuple[str, str], Any] = {}
        self.databases: set[str] = set()
        self.locks: list[SimpleNamespace] = []
        self.fail: Callable[[str], None] = lambda moment: None
        self._ids = itertools.count(1)

    def get_table(self, dbname: str, tbl_name: str) -> Any:
        try:
            return copy.deepcopy(self.tables[dbname, tbl_name])
        except KeyError:
            raise NoSuchObjectException(message=tbl_name) from None

    def create_database(self, database: Any) -> None:
        self.databases.add(database.name)

    def drop_database(self, name: str, deleteData: bool, cascade: bool) -> None:  # noqa: N803
        if name not in self.databases:
            raise NoSuchObjectException(message=name)
        self.databases.remove(name)

    def get_all_tables(self, db_name: str) -> list[str]:
        return [table for database, table in self.tables if database == db_name]

    def get_table_objects_by_name(self, dbname: str, tbl_names: list[str]) -> list[Any]:
        return [self.get_table(dbname, name) for name in tbl_names]

    def create_table(self, table: Any) -> None:
        self.tables[table.dbName, table.tableName] = copy.deepcopy(table)

    def drop_table(self, dbname: str, name: str, deleteData: bool) -> None:  # noqa: N803
        if (dbname, name) not in self.tables:
            raise NoSuchObjectException(message=name)
        del self.tables[dbname, name]

    def alter_table_with_environment_context(
        self, dbname: str, tbl_name: str, new_tbl: Any, environment_context: Any
    ) -> None:
        self.fail("before")
        wanted = environment_context.properties
        key, value = wanted["expected_parameter_key"], wanted["expected_parameter_value"]
        if self.tables[dbname, tbl_name].parameters[key] != value:
            raise MetaException(message=f"The table has been modified. The parameter {key}")
        self.tables[dbname, tbl_name] = copy.deepcopy(new_tbl)
        self.fail("after")

    def lock(self, request: Any) -> Any:
        (wanted,) = request.component
        held = any(lock.tablename == wanted.tablename for lock in self.locks)
        state = LockState.WAITING if held else LockState.ACQUIRED
        lock = SimpleNamespace(
            lockid=next(self._ids),
            tablename=wanted.tablename,
            agentInfo=request.agentInfo,
            acquiredat=time.time() * 1000,
            state=state,
        )
        self.locks.append(lock)
        return lock

    def check_lock(self, request: Any) -> Any:
        (mine,) = (lock for lock in self.locks if lock.lockid == request.lockid)
        before = [each for each in self.locks if each.tablename == mine.tablename]
        if before[0] is mine:
            mine.state = LockState.ACQUIRED
        return mine

    def show_locks(self, request: Any) -> Any:
        return SimpleNamespace(locks=[x for x in self.locks if x.tablename == request.tablename])

    def unlock(self, request: Any) -> None:
        self.locks = [lock for lock in self.locks if lock.lockid != request.lockid]


CALLS = (
    "create_database",
    "drop_database",
    "get_all_tables",
    "get_table_objects_by_name",
    "get_table",
    "create_table",
    "drop_table",
    "alter_table_with_environment_context",
    "lock",
    "check_lock",
    "show_locks",
    "unlock",
)


@contextmanager
def in_memory() -> Iterator[Metastore]:
    """A metastore that every `LakeCatalog` talks to meanwhile."""
    metastore = Metastore()
    closed = SimpleNamespace(open=lambda: None, close=lambda: None)
    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            call = getattr(metastore, name)

            def forward(_client: Any, *given: Any, _call: Any = call, **named: Any) -> Any:
                return _call(*given, **named)

            patch.setattr(Client, name, forward)
        patch.setattr(_SwapConnection, "_init_thrift_transport", lambda _: closed)
        yield metastore


def local_catalog(folder: Path) -> LakeCatalog:
    """The catalog, with files in a folder instead of HDFS."""
    return LakeCatalog(
        "iceberg",
        uri="thrift://nowhere:1",
        warehouse=f"file://{folder}",
        **{"py-io-impl": "pyiceberg.io.fsspec.FsspecFileIO"},
    )


@pytest.fixture
def metastore() -> Iterator[Metastore]:
    """A metastore that every `LakeCatalog` of the test talks to."""
    with in_memory() as metastore:
        yield metastore


@pytest.fixture
def lake_catalog(metastore: Metastore, tmp_path: Path) -> LakeCatalog:
    """The catalog, with files in a temporary folder instead of HDFS."""
    return local_catalog(tmp_path)


@pytest.fixture(scope="module")
def lasting_catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LakeCatalog, Path]]:
    """The same for all tests of a module, with its folder."""
    folder = tmp_path_factory.mktemp("lake")
    with in_memory():
        yield local_catalog(folder), folder
