"""The proxy in front of a metastore: the client library's own calls, held, released, cut."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hive_metastore import ThriftHiveMetastore
from hive_metastore.ttypes import (
    EnvironmentContext,
    LockRequest,
    LockResponse,
    LockState,
    MetaException,
    Table,
)
from pyiceberg.exceptions import CommitFailedException
from thrift.protocol import TBinaryProtocol
from thrift.server.TServer import TThreadedServer
from thrift.transport import TSocket, TTransport

from millrace.chaos.proxy import MetastoreProxy, Moment, Snare
from millrace.chaos.thrift_calls import ALTER
from millrace.chaos.triggers import NotSeenError
from millrace.lake.hive import SwapClient

WAIT_S = 10.0
TABLE = "raw.orders"


class Metastore:
    """One table with a pointer, and the metastore's own compare and swap on it."""

    def __init__(self) -> None:
        self.location = "v1"

    def get_table(self, dbname: str, tbl_name: str) -> Table:
        return Table(dbName=dbname, tableName=tbl_name, parameters=self._parameters())

    def lock(self, rqst: LockRequest) -> LockResponse:
        return LockResponse(lockid=1, state=LockState.ACQUIRED)

    def alter_table_with_environment_context(
        self, dbname: str, tbl_name: str, new_tbl: Table, environment_context: EnvironmentContext
    ) -> None:
        if environment_context.properties["expected_parameter_value"] != self.location:
            raise MetaException("The table has been modified. The parameter value is other")
        self.location = new_tbl.parameters["metadata_location"]

    def _parameters(self) -> dict[str, str]:
        return {"metadata_location": self.location}


@pytest.fixture
def metastore() -> Metastore:
    return Metastore()


@pytest.fixture
def proxy(metastore: Metastore) -> Iterator[MetastoreProxy]:
    listening = TSocket.TServerSocket("127.0.0.1", 0)
    listening.listen()
    server = TThreadedServer(
        ThriftHiveMetastore.Processor(metastore),
        listening,
        TTransport.TBufferedTransportFactory(),
        TBinaryProtocol.TBinaryProtocolFactory(),
    )
    serving = threading.Thread(target=serve, args=(server, listening), daemon=True)
    serving.start()
    with MetastoreProxy("127.0.0.1", listening.handle.getsockname()[1]) as between:
        yield between
    listening.handle.shutdown(socket.SHUT_RDWR)
    serving.join(WAIT_S)
    assert not serving.is_alive()
    listening.close()


def serve(server: TThreadedServer, listening: TSocket.TServerSocket) -> None:
    """Thrift's own loop spins for ever when its socket is closed."""
    with contextlib.suppress(OSError):
        while True:
            client = listening.accept()
            threading.Thread(target=server.handle, args=(client,), daemon=True).start()


@contextlib.contextmanager
def connected(proxy: MetastoreProxy) -> Iterator[SwapClient]:
    connection = TSocket.TSocket("127.0.0.1", proxy.port)
    connection.setTimeout(int(WAIT_S * 1000))
    transport = TTransport.TBufferedTransport(connection)
    transport.open()
    try:
        yield SwapClient(TBinaryProtocol.TBinaryProtocol(transport))
    finally:
        transport.close()


def swap(client: SwapClient, to: str, table: str = TABLE) -> None:
    """Change the table as a commit does."""
    database, _, name = table.partition(".")
    changed = client.get_table(database, name)
    seen = changed.parameters["metadata_location"]
    changed.parameters.update(metadata_location=to, previous_metadata_location=seen)
    changed.parameters["padding"] = "p" * 200_000  # more than one read of the socket
    client.alter_table_with_environment_context(database, name, changed, EnvironmentContext({}))


class Swapping:
    """A swap in a thread of its own; `result` is what became of it."""

    def __init__(self, proxy: MetastoreProxy, to: str) -> None:
        self.result: Any = "waiting"
        self._proxy, self._to = proxy, to
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            with connected(self._proxy) as client:
                swap(client, self._to)
            self.result = "done"
        except Exception as error:
            self.result = error

    def end(self) -> Any:
        self._thread.join(WAIT_S)
        return self.result


def test_calls_pass_through_unchanged(proxy: MetastoreProxy, metastore: Metastore) -> None:
    with connected(proxy) as client:
        swap(client, "v2")
        assert client.lock(LockRequest(component=[], user="u", hostname="h")).lockid == 1
        swap(client, "v3")
        assert client.get_table("raw", "orders").parameters == {"metadata_location": "v3"}
    assert metastore.location == "v3"


def test_a_call_is_held_before_the_metastore_has_it(
    proxy: MetastoreProxy, metastore: Metastore
) -> None:
    with proxy.snare(ALTER, TABLE, Moment.BEFORE) as snare:
        swapping = Swapping(proxy, "v2")
        call = snare.wait(WAIT_S)
        assert (call.table, call.old_location, call.new_location) == (TABLE, "v1", "v2")
        assert (metastore.location, swapping.result) == ("v1", "waiting")
        snare.release()
        assert swapping.end() == "done"
    assert metastore.location == "v2"


def test_an_answer_is_held_when_the_metastore_has_done_it(
    proxy: MetastoreProxy, metastore: Metastore
) -> None:
    with proxy.snare(ALTER, TABLE, Moment.DONE) as snare:
        swapping = Swapping(proxy, "v2")
        snare.wait(WAIT_S)
        assert (metastore.location, swapping.result) == ("v2", "waiting")
    assert swapping.end() == "done"


@pytest.mark.parametrize(
    ("moment", "location"), [(Moment.BEFORE, "v1"), (Moment.DONE, "v2")], ids=["call", "answer"]
)
def test_a_cut_leaves_the_client_without_an_answer(
    proxy: MetastoreProxy, metastore: Metastore, moment: Moment, location: str
) -> None:
    with proxy.snare(ALTER, TABLE, moment) as snare:
        swapping = Swapping(proxy, "v2")
        snare.wait(WAIT_S)
        snare.cut()
        assert isinstance(swapping.end(), TTransport.TTransportException)
    assert metastore.location == location


def test_a_call_whose_client_is_gone_never_arrives(
    proxy: MetastoreProxy, metastore: Metastore
) -> None:
    with proxy.snare(ALTER, TABLE, Moment.BEFORE) as snare, connected(proxy) as client:
        threading.Thread(target=gives_up(client), daemon=True).start()
        snare.wait(WAIT_S)
        client._iprot.trans.close()
        with connected(proxy) as other:
            swap(other, "v3")
    assert metastore.location == "v3"


def gives_up(client: SwapClient) -> Callable[[], None]:
    def run() -> None:
        with contextlib.suppress(Exception):
            swap(client, "v2")

    return run


def test_the_refusal_of_a_late_call_is_seen(proxy: MetastoreProxy, metastore: Metastore) -> None:
    with proxy.snare(ALTER, TABLE, Moment.BEFORE) as snare:
        swapping = Swapping(proxy, "v2")
        call = snare.wait(WAIT_S)
        with connected(proxy) as other:  # the snare has caught its call: this one passes
            swap(other, "v3")
        snare.release()
        assert isinstance(swapping.end(), CommitFailedException)
        assert snare.answered.is_set()
        assert "has been modified" in str(call.refusal)
    assert metastore.location == "v3"


def test_other_tables_pass_a_snare(proxy: MetastoreProxy, metastore: Metastore) -> None:
    with proxy.snare(ALTER, TABLE, Moment.BEFORE) as snare, connected(proxy) as client:
        swap(client, "v2", table="raw.customers")
        assert snare.call is None
    assert metastore.location == "v2"


def test_a_moment_that_does_not_come_is_named(proxy: MetastoreProxy) -> None:
    with proxy.snare(ALTER, TABLE, Moment.DONE) as snare, pytest.raises(NotSeenError) as error:
        snare.wait(0.1)
    assert f"{ALTER} of {TABLE}" in str(error.value)


def test_a_metastore_that_is_down_looks_down() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (
        MetastoreProxy("127.0.0.1", port) as between,
        connected(between) as client,
        pytest.raises((TTransport.TTransportException, OSError)),
    ):
        client.get_table("raw", "orders")


def test_a_snare_is_released_when_it_is_left(proxy: MetastoreProxy) -> None:
    left: Snare | None = None
    with proxy.snare(ALTER, TABLE, Moment.BEFORE) as snare:
        left, swapping = snare, Swapping(proxy, "v2")
        snare.wait(WAIT_S)
    assert left.settled.is_set()
    assert swapping.end() == "done"
