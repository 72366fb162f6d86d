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

from millrace.chaos.listener import Listener, end

CHUNK_BYTES = 65_536


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


class Gate(Listener):
    """A listener with one door; leaving it opens the door."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self._hold: Hold | None = None

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

    def _let_go(self) -> None:
        if self._hold:
            self._hold.release()

    def _relay(self, client: socket.socket, service: socket.socket) -> None:
        answers = threading.Thread(target=self._answer, args=(service, client), daemon=True)
        answers.start()
        try:
            self._forward(client, service)
        finally:
            with contextlib.suppress(OSError):
                service.shutdown(socket.SHUT_WR)
            answers.join()

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
        end(client)


def _receive(source: socket.socket) -> bytes:
    try:
        return source.recv(CHUNK_BYTES)
    except OSError:
        return b""


def _send(target: socket.socket, data: bytes) -> bool:
    try:
        target.sendall(data)
    except OSError:
        return False
    return True
