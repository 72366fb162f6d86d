"""What keeps verification from judging; what it judges badly is a `Finding`, not an error."""

from __future__ import annotations

import requests
from botocore.exceptions import ConnectionError as StoreConnectionError
from botocore.exceptions import HTTPClientError

from millrace.errors import MillraceError, TransientError

#: What a NameNode says that was started a moment ago.
_STARTING = ("startup mode", "safe mode", "StandbyException")
_AWAY = (
    requests.ConnectionError,
    requests.Timeout,
    ConnectionError,
    TimeoutError,
    StoreConnectionError,
    HTTPClientError,
)


class VerifyError(MillraceError):
    """Something can not be judged."""


class SourceAwayError(TransientError):
    """A service that has to be asked does not answer."""

    def __init__(self, thing: str, cause: str) -> None:
        super().__init__(thing, cause, "make status")


class PointerError(VerifyError):
    """The catalog points to metadata that is not there or does not read."""

    def __init__(self, table: str, cause: str) -> None:
        super().__init__(f"table {table}", cause, "bin/millrace landing status")


def raise_if_away(error: Exception, thing: str) -> None:
    """Tell a service that does not answer from an answer that is wrong.

    Raises:
        SourceAwayError: the first.
    """
    is_starting = isinstance(error, RuntimeError) and any(word in str(error) for word in _STARTING)
    if isinstance(error, _AWAY) or is_starting:
        raise SourceAwayError(thing, str(error) or repr(error)) from error
