"""What stands between a client and a service: a port of its own, and a thread a connection."""

from __future__ import annotations

import abc
import contextlib
import socket
import threading
from typing import Self

#: A service that is down refuses at once; one that is frozen is not waited for here.
CONNECT_S = 5.0


class Listener(abc.ABC):
    """Listens on a port of its own and relays to one address.

    A context manager; leaving it lets go what is held and ends every connection.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._closed = False
        self._sockets: set[socket.socket] = set()
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True
        self._let_go()
        # Closing alone does not wake a thread that waits in `accept`.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """End every connection, as a service that dies does."""
        with self._lock:
            sockets, self._sockets = self._sockets, set()
        for each in sockets:
            end(each)

    @abc.abstractmethod
    def _let_go(self) -> None:
        """End what is being held."""

    @abc.abstractmethod
    def _relay(self, client: socket.socket, service: socket.socket) -> None:
        """Pass the bytes of one connection on, until either end is gone."""

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            service = socket.create_connection(self._target, CONNECT_S)
        except OSError:
            end(client)  # as near as this comes to a refused connection
            return
        service.settimeout(None)
        with self._lock:
            self._sockets |= {client, service}
        try:
            self._relay(client, service)
        finally:
            with self._lock:
                self._sockets -= {client, service}
            end(client)
            end(service)


def end(connection: socket.socket) -> None:
    """Close a connection for both sides; harmless a second time."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
