"""A step of a plan, and what may go wrong with a service on the way."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType

from millrace.errors import TransientError
from millrace.services import Service

#: Seconds to reach a service of this machine: a healthy one accepts within milliseconds.
CONNECT_TIMEOUT_S = 3.0


class Action(StrEnum):
    """What a step does."""

    KEEP = "keep"
    CREATE = "create"
    ALTER = "alter"
    REFUSE = "refuse"


@dataclass(frozen=True)
class Step:
    """One thing of one service, as the contract wants it.

    Attributes:
        thing: kind and name: `topic orders`.
        detail: what would change, or why not; a refusal ends with its remedy.
        perform: does it, and may be called again; None for what is kept or refused.
    """

    action: Action
    thing: str
    detail: str = ""
    perform: Callable[[], None] | None = field(default=None, compare=False, repr=False)


class ServiceDownError(TransientError):
    """A service that does not answer."""

    def __init__(self, name: str, address: str, cause: str) -> None:
        super().__init__(
            f"{name} at {address}",
            f"it does not answer: {cause}",
            "make up  # or see what it says: make status",
        )
        self.arguments = (name, address, cause)

    def __reduce__(self) -> tuple[type[ServiceDownError], tuple[str, str, str]]:
        return type(self), self.arguments


def require(name: str, service: Service, port: int | None = None) -> None:
    """Refuse to go on without a service.

    The clients wait for half a minute or longer where nothing listens; a socket knows at once.

    Raises:
        ServiceDownError: nothing accepts a connection there.
    """
    port = service.port if port is None else port
    try:
        socket.create_connection((service.host, port), timeout=CONNECT_TIMEOUT_S).close()
    except OSError as error:
        cause = (error.strerror or str(error)).lower()
        raise ServiceDownError(name, f"{service.host}:{port}", cause) from None


class lost_means_down:  # noqa: N801 (reads as a statement: `with lost_means_down(...)`)
    """Within it, a client's connection failure is a service that is down.

    A class and no generator: the metastore client's exceptions are immutable, and contextlib
    sets the traceback of what passes through a generator.
    """

    def __init__(self, name: str, service: Service, *failures: type[Exception]) -> None:
        self.name, self.service, self.failures = name, service, failures

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Say of a listed failure that the service is down."""
        if isinstance(error, self.failures):
            cause = " ".join(str(error).split())[:200] or type(error).__name__
            raise ServiceDownError(self.name, self.service.address, cause) from error
