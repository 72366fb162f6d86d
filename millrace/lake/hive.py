"""The metastore's catalog, with two guards that PyIceberg's own does not have.

1. **The metastore's swap.** Every change of a table names the metadata file it replaces
   (`expected_parameter_key`), and the metastore refuses it when the table points elsewhere. A
   client that froze inside the lock and woke up after the lock had passed to another one can
   therefore not overwrite the other's commit.
2. **Locks of the dead are removed.** A client that is killed between taking the lock and giving it
   back leaves it behind, and nobody could commit to the table again. Our locks carry our name and
   the process; one that is ours and old is released by whoever waits for it. That is safe because
   of the first guard. Locks of other engines are never touched.
"""

from __future__ import annotations

import getpass
import os
import socket
import threading
import time
from types import TracebackType
from typing import Any

from hive_metastore.ThriftHiveMetastore import Client
from hive_metastore.ttypes import (
    CheckLockRequest,
    EnvironmentContext,
    LockComponent,
    LockLevel,
    LockRequest,
    LockResponse,
    LockState,
    LockType,
    MetaException,
    ShowLocksRequest,
    Table,
    UnlockRequest,
)
from pyiceberg.catalog.hive import HiveCatalog, _HiveClient
from pyiceberg.exceptions import CommitFailedException, WaitingForLockException
from thrift.protocol import TBinaryProtocol
from thrift.transport import TSocket, TTransport

from millrace.lake.errors import MetastoreUnreachableError

METADATA_LOCATION = "metadata_location"
AGENT = "millrace"

#: A commit holds its lock for 0.1 to 1 s; one that is held for longer has lost its owner.
STALE_AFTER_S = 15.0
#: How long a commit waits for the lock of another engine before it counts as refused.
LOCK_PATIENCE_S = 60.0
LOCK_POLL_S = 0.1
SOCKET_TIMEOUT_MS = 60_000


class SwapClient(Client):  # type: ignore[misc]
    """A metastore client whose table changes are compare and swap on the metadata file."""

    def __init__(self, protocol: Any) -> None:
        super().__init__(protocol)
        self._seen: dict[tuple[str, str], str] = {}

    def get_table(self, dbname: str, tbl_name: str) -> Table:
        """Fetch a table and remember the metadata file it points to."""
        table = super().get_table(dbname, tbl_name)
        if location := (table.parameters or {}).get(METADATA_LOCATION):
            self._seen[dbname, tbl_name] = location
        return table

    def alter_table_with_environment_context(
        self, dbname: str, tbl_name: str, new_tbl: Table, environment_context: EnvironmentContext
    ) -> None:
        """Change a table only if it still points to the metadata file this client saw.

        Raises:
            CommitFailedException: it points to another one.
        """
        if seen := self._seen.get((dbname, tbl_name)):
            properties = dict(environment_context.properties or {})
            properties["expected_parameter_key"] = METADATA_LOCATION
            properties["expected_parameter_value"] = seen
            environment_context = EnvironmentContext(properties=properties)
        try:
            super().alter_table_with_environment_context(
                dbname, tbl_name, new_tbl, environment_context
            )
        except MetaException as error:
            if "has been modified" in str(error.message):
                raise CommitFailedException(f"{dbname}.{tbl_name}: {error.message}") from error
            raise


class _SwapConnection(_HiveClient):
    """Connections to the metastore: one a thread, each with a time limit."""

    def __init__(self, uri: str, **arguments: Any) -> None:
        super().__init__(uri, **arguments)
        self._open = threading.local()

    def _init_thrift_transport(self) -> Any:
        host, _, port = self._uri.removeprefix("thrift://").partition(":")
        connection = TSocket.TSocket(host, int(port))
        connection.setTimeout(SOCKET_TIMEOUT_MS)
        return TTransport.TBufferedTransport(connection)

    def __enter__(self) -> Client:
        transport = self._init_thrift_transport()
        try:
            transport.open()
        except TTransport.TTransportException as error:
            raise MetastoreUnreachableError(self._uri, str(error)) from error
        self._open.transport = transport
        return SwapClient(TBinaryProtocol.TBinaryProtocol(transport))

    def __exit__(
        self,
        exctype: type[BaseException] | None,
        excinst: BaseException | None,
        exctb: TracebackType | None,
    ) -> None:
        self._open.transport.close()
        if isinstance(excinst, TTransport.TTransportException | ConnectionError | TimeoutError):
            raise MetastoreUnreachableError(self._uri, str(excinst)) from excinst


class LakeCatalog(HiveCatalog):
    """The catalog `iceberg`; see the module for what it adds to PyIceberg's."""

    @staticmethod
    def _create_hive_client(properties: dict[str, str]) -> _HiveClient:
        return _SwapConnection(properties["uri"])

    def _create_lock_request(self, database_name: str, table_name: str) -> LockRequest:
        component = LockComponent(
            level=LockLevel.TABLE,
            type=LockType.EXCLUSIVE,
            dbname=database_name,
            tablename=table_name,
            isTransactional=True,
        )
        return LockRequest(
            component=[component],
            user=getpass.getuser(),
            hostname=socket.gethostname(),
            agentInfo=f"{AGENT}-{os.getpid()}",
        )

    def _wait_for_lock(
        self, database_name: str, table_name: str, lockid: int, open_client: Client
    ) -> LockResponse:
        """Poll for the lock, and release a stale one of ours that stands in the way."""
        started = time.monotonic()
        while (waited := time.monotonic() - started) < LOCK_PATIENCE_S:
            response = open_client.check_lock(CheckLockRequest(lockid=lockid))
            if response.state == LockState.ACQUIRED:
                return response
            if response.state != LockState.WAITING:
                raise CommitFailedException(f"{database_name}.{table_name}: lock {response.state}")
            if waited > STALE_AFTER_S:
                _release_stale(open_client, database_name, table_name, lockid)
            time.sleep(LOCK_POLL_S)
        raise WaitingForLockException(f"{database_name}.{table_name}: waited {LOCK_PATIENCE_S} s")


def _release_stale(client: Client, database: str, table: str, mine: int) -> None:
    """Give back every lock of ours on the table that is older than the limit."""
    request = ShowLocksRequest(dbname=database, tablename=table)
    limit_ms = (time.time() - STALE_AFTER_S) * 1000
    for lock in client.show_locks(request).locks or []:
        ours = (lock.agentInfo or "").startswith(AGENT) and lock.lockid != mine
        if ours and lock.state == LockState.ACQUIRED and (lock.acquiredat or 0) < limit_ms:
            client.unlock(UnlockRequest(lockid=lock.lockid))


__all__ = ["LakeCatalog", "SwapClient"]
