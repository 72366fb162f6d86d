"""A door between a client and a service that can be shut while bytes flow through it.

Plain TCP, knows no protocol. A request that is named by a pattern is let through for so many bytes
of it, then everything stands still: the service has taken a part, nobody has answered. What holds
then is observed and struck; afterwards the door is opened, or the connection is cut.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

CHUNK_BYTES = 65_536
#: A service that is down refuses at once; one that is frozen is not waited for here.
CONNECT_S = 5.0


@dataclass
class Hold:
    """One request that is to be held.

    Attributes:
        pattern: found in the bytes of a request where they reach the door.
        after_bytes: how much of the request goes through, its head included.
        held: set while the request is held.
        request: the first bytes of the held request.
    """

    pattern: re.Pattern[bytes]
    after_bytes: int
    held: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)
    request: bytes = b""

    def release(self) -> None:
        """Let the rest through; harmless a second time."""
        self.opened.set()


class Gate:
    """Listens on a port of its own and forwards to one address.

    A context manager; leaving it opens every door and ends every connection.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._hold: Hold | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._sockets: set[socket.socket] = set()
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Gate:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True
        if self._hold:
            self._hold.release()
        # Closing alone does not wake a thread that waits in `accept`.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    @contextlib.contextmanager
    def holding(self, pattern: bytes, after_bytes: int) -> Iterator[Hold]:
        """Hold the next request that the pattern is found in; on leaving it is let go.

        Args:
            pattern: a regular expression over bytes.
            after_bytes: what goes through of the request before it stands still.
        """
        hold = Hold(re.compile(pattern), after_bytes)
        with self._lock:
            self._hold = hold
        try:
            yield hold
        finally:
            with self._lock:
                self._hold = None
            hold.release()

    def cut(self) -> None:
        """End every connection, as a service that dies does."""
        with self._lock:
            sockets, self._sockets = self._sockets, set()
        for each in sockets:
            _end(each)

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
            _end(client)  # what the client sees is a refused connection
            return
        service.settimeout(None)
        with self._lock:
            self._sockets |= {client, service}
        answers = threading.Thread(target=self._answer, args=(service, client), daemon=True)
        answers.start()
        try:
            self._forward(client, service)
        finally:
            with contextlib.suppress(OSError):
                service.shutdown(socket.SHUT_WR)
            answers.join()
            for each in (client, service):
                _end(each)
            with self._lock:
                self._sockets -= {client, service}

    def _forward(self, client: socket.socket, service: socket.socket) -> None:
        hold: Hold | None = None
        left = 0
        while data := _receive(client):
            if hold is None and (hold := self._claim(data)):
                left = hold.after_bytes
            if hold and not hold.opened.is_set() and len(data) >= left:
                if not _send(service, data[:left]):
                    return
                hold.held.set()
                hold.opened.wait()
                data = data[left:]
            left -= len(data)
            if not _send(service, data):
                return

    def _claim(self, data: bytes) -> Hold | None:
        """The hold that this request is meant by; it is claimed once."""
        with self._lock:
            hold = self._hold
            if hold is None or not hold.pattern.search(data):
                return None
            self._hold = None
            hold.request = data[:400]
            return hold

    @staticmethod
    def _answer(service: socket.socket, client: socket.socket) -> None:
        while data := _receive(service):
            if not _send(client, data):
                return
        _end(client)


def _receive(end: socket.socket) -> bytes:
    try:
        return end.recv(CHUNK_BYTES)
    except OSError:
        return b""


def _send(end: socket.socket, data: bytes) -> bool:
    try:
        end.sendall(data)
    except OSError:
        return False
    return True


def _end(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
