"""Calls and answers of the metastore's protocol, read whole and kept byte by byte.

Binary protocol without frames: where a message ends is only known to who reads its fields. What is
read is what is forwarded, so nothing is encoded anew.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from typing import Any

from hive_metastore import ThriftHiveMetastore
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.Thrift import TType
from thrift.transport import TTransport

ALTER = "alter_table_with_environment_context"
METADATA_LOCATION = "metadata_location"
PREVIOUS_LOCATION = "previous_metadata_location"
CHUNK_BYTES = 65_536


class Recorder(TTransport.TTransportBase):  # type: ignore[misc]
    """A transport over a socket that keeps what is read from it until it is taken."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._waiting = b""
        self._taken: list[bytes] = []

    def read(self, sz: int) -> bytes:
        """At most so many bytes; none where the other end is gone."""
        if not self._waiting:
            try:
                self._waiting = self._end.recv(CHUNK_BYTES)
            except OSError:
                self._waiting = b""
        part, self._waiting = self._waiting[:sz], self._waiting[sz:]
        self._taken.append(part)
        return part

    def take(self) -> bytes:
        """What was read since the last time."""
        taken, self._taken = b"".join(self._taken), []
        return taken


@dataclass
class Call:
    """One call of a client, and the answer to it once it has come.

    Attributes:
        method: as Thrift names it: `lock`, `get_table`, `alter_table_with_environment_context`.
        request, answer: the bytes of the messages.
    """

    method: str
    request: bytes
    answer: bytes | None = field(default=None, repr=False)

    @property
    def table(self) -> str | None:
        """`database.table` of a change of a table; None for any other call."""
        arguments = self._alter()
        return f"{arguments.dbname}.{arguments.tbl_name}" if arguments else None

    @property
    def new_location(self) -> str:
        """The metadata file that a change of a table points to."""
        return self._parameter(METADATA_LOCATION)

    @property
    def old_location(self) -> str:
        """The metadata file that it replaces."""
        return self._parameter(PREVIOUS_LOCATION)

    @property
    def refusal(self) -> str | None:
        """What the metastore said no with to a change of a table; None where it did it."""
        if self.answer is None or self.method != ALTER:
            return None
        result = ThriftHiveMetastore.alter_table_with_environment_context_result()
        result.read(_body(self.answer))
        error = result.o1 or result.o2
        return str(error.message) if error else None

    def _parameter(self, name: str) -> str:
        arguments = self._alter()
        parameters = arguments.new_tbl.parameters if arguments else None
        return str((parameters or {})[name])

    def _alter(self) -> Any:
        if self.method != ALTER:
            return None
        arguments = ThriftHiveMetastore.alter_table_with_environment_context_args()
        arguments.read(_body(self.request))
        return arguments


def read_message(recorder: Recorder) -> tuple[str, bytes]:
    """The next message: its method and its bytes.

    Raises:
        EOFError: the other end is gone.
    """
    protocol = TBinaryProtocol(recorder)
    method, _, _ = protocol.readMessageBegin()
    protocol.skip(TType.STRUCT)
    protocol.readMessageEnd()
    return method, recorder.take()


def _body(message: bytes) -> TBinaryProtocol:
    """A protocol that stands behind the head of the message."""
    protocol = TBinaryProtocol(TTransport.TMemoryBuffer(message))
    protocol.readMessageBegin()
    return protocol
