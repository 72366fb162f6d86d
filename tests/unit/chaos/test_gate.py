"""The door that is shut while bytes flow: what goes through, what stands still, what is cut."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from millrace.chaos.gate import Gate

WAIT_S = 10.0


class Recorder:
    """A service that keeps what it is sent and answers `done` at the end of a request."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.received = b""
        self.changed = threading.Condition()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                while data := connection.recv(65_536):
                    with self.changed:
                        self.received += data
                        self.changed.notify_all()
                    if data.endswith(b"."):
                        connection.sendall(b"done")

    def wait_for(self, content: bytes) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.received == content, WAIT_S), self.received

    def close(self) -> None:
        with contextlib.suppress(OSError):  # closed already
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def service() -> Iterator[Recorder]:
    recorder = Recorder()
    yield recorder
    recorder.close()


def client_of(gate: Gate) -> socket.socket:
    return socket.create_connection(("127.0.0.1", gate.port), WAIT_S)


def test_what_no_hold_names_goes_through_both_ways(service: Recorder) -> None:
    with Gate("127.0.0.1", service.port) as gate, client_of(gate) as client:
        client.sendall(b"GET a.")
        assert client.recv(10) == b"done"


def test_a_held_request_stands_still_after_its_first_bytes_and_goes_on_when_released(
    service: Recorder,
) -> None:
    with (
        Gate("127.0.0.1", service.port) as gate,
        client_of(gate) as client,
        gate.holding(b"PUT .*parquet", after_bytes=20) as hold,
    ):
        client.sendall(b"GET b.")  # not the one that is meant
        assert client.recv(10) == b"done"
        client.sendall(b"PUT x.parquet\n" + b"0123456789.")
        assert hold.held.wait(WAIT_S)
        service.wait_for(b"GET b.PUT x.parquet\n012345")
        assert hold.request.startswith(b"PUT x.parquet")
        hold.release()
        assert client.recv(10) == b"done"
        service.wait_for(b"GET b.PUT x.parquet\n0123456789.")


def test_a_hold_counts_the_bytes_of_a_request_that_comes_in_parts(service: Recorder) -> None:
    with (
        Gate("127.0.0.1", service.port) as gate,
        client_of(gate) as client,
        gate.holding(b"PUT ", after_bytes=6) as hold,
    ):
        client.sendall(b"PUT ")
        service.wait_for(b"PUT ")
        client.sendall(b"1234")
        assert hold.held.wait(WAIT_S)
        service.wait_for(b"PUT 12")


def test_leaving_the_hold_lets_the_request_go(service: Recorder) -> None:
    with Gate("127.0.0.1", service.port) as gate, client_of(gate) as client:
        with gate.holding(b"PUT ", after_bytes=4) as hold:
            client.sendall(b"PUT 1.")
            assert hold.held.wait(WAIT_S)
        assert client.recv(10) == b"done"


def test_a_cut_ends_the_connection_and_the_next_one_is_served(service: Recorder) -> None:
    with Gate("127.0.0.1", service.port) as gate:
        with client_of(gate) as client:
            client.sendall(b"GET a.")
            assert client.recv(10) == b"done"
            gate.cut()
            assert client.recv(10) == b""
        with client_of(gate) as client:
            client.sendall(b"GET b.")
            assert client.recv(10) == b"done"


def test_a_service_that_is_down_ends_the_clients_connection(service: Recorder) -> None:
    service.close()
    with Gate("127.0.0.1", service.port) as gate, client_of(gate) as client:
        assert client.recv(10) == b""
