"""A proxy between the landing driver and the metastore that can hold one call, or its answer.

The client asks and waits for the answer, so each connection is one loop: read a call, forward it,
read the answer, give it. A snare names the call it is set for and the moment: before the metastore
has the call, or when it has done it and the client has not heard. What is caught stands still until
it is released, cut (the connection breaks), or its client is gone.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Iterator
from enum import Enum

from millrace.chaos.listener import Listener
from millrace.chaos.thrift_calls import Call, Recorder, read_message
from millrace.chaos.triggers import MOMENT_S, NotSeenError

GONE_POLL_S = 0.05


class Moment(Enum):
    """When a call is held."""

    BEFORE = "before the metastore has it"
    DONE = "when it is done and the client has not heard"


class Snare:
    """Set for one call; catches the first that fits.

    Attributes:
        call: what was caught; the answer is in it once the metastore has given it.
    """

    def __init__(self, method: str, table: str | None, moment: Moment) -> None:
        self.method, self.table, self.moment = method, table, moment
        self.call: Call | None = None
        self.answered = threading.Event()
        self.settled = threading.Event()
        self.is_cut = False
        self._caught = threading.Event()

    def fits(self, call: Call) -> bool:
        """Whether this is the call it is set for."""
        return call.method == self.method and (self.table is None or call.table == self.table)

    def catch(self, call: Call) -> None:
        """Called by the proxy."""
        self.call = call
        self._caught.set()

    def wait(self, within_s: float = MOMENT_S) -> Call:
        """The call, as soon as it is caught.

        Raises:
            NotSeenError: nobody made it in time.
        """
        if not self._caught.wait(within_s) or self.call is None:
            raise NotSeenError(f"{self.method} of {self.table or 'any table'}", within_s)
        return self.call

    def release(self) -> None:
        """Let it go on as if nothing had been; harmless a second time."""
        self.settled.set()

    def cut(self) -> None:
        """Break the connection: a held call never arrives, a held answer is lost."""
        self.is_cut = True
        self.settled.set()


class MetastoreProxy(Listener):
    """A listener that reads calls; leaving it cuts what is held."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self._snares: list[Snare] = []

    @contextlib.contextmanager
    def snare(self, method: str, table: str | None, moment: Moment) -> Iterator[Snare]:
        """Catch the next call of this method on this table; on leaving it is let go."""
        snare = Snare(method, table, moment)
        with self._lock:
            self._snares.append(snare)
        try:
            yield snare
        finally:
            with self._lock:
                self._snares.remove(snare)
            snare.release()

    def _let_go(self) -> None:
        with self._lock:
            snares = list(self._snares)
        for snare in snares:
            snare.cut()

    def _relay(self, client: socket.socket, service: socket.socket) -> None:
        asked, answered = Recorder(client), Recorder(service)
        # Either end is gone: so is the connection.
        with contextlib.suppress(OSError, EOFError):
            while self._pass_one(client, service, asked, answered):
                pass

    def _pass_one(
        self, client: socket.socket, service: socket.socket, asked: Recorder, answered: Recorder
    ) -> bool:
        """One call and its answer; False where the connection was cut or its client is gone."""
        call = Call(*read_message(asked))
        snare = self._claim(call)
        if snare and snare.moment is Moment.BEFORE and not _hold(snare, call, client):
            return False
        service.sendall(call.request)
        call.answer = read_message(answered)[1]
        if snare:
            snare.answered.set()
        if snare and snare.moment is Moment.DONE and not _hold(snare, call, client):
            return False
        client.sendall(call.answer)
        return True

    def _claim(self, call: Call) -> Snare | None:
        """The snare that is set for this call; it catches only one."""
        with self._lock:
            free = (each for each in self._snares if each.call is None and each.fits(call))
            snare = next(free, None)
            if snare:
                snare.call = call
            return snare


def _hold(snare: Snare, call: Call, client: socket.socket) -> bool:
    """Stand still; False where the call shall not go on."""
    snare.catch(call)
    while not snare.settled.wait(GONE_POLL_S):
        if _is_gone(client):
            return False
    return not snare.is_cut


def _is_gone(end: socket.socket) -> bool:
    """Whether the client has closed its end: one that waits for an answer sends nothing."""
    try:
        readable, _, _ = select.select([end], [], [], 0)
        return bool(readable) and not end.recv(1, socket.MSG_PEEK)
    except (OSError, ValueError):  # closed here already: a closed socket has no descriptor
        return True
