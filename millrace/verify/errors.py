"""What keeps verification from judging; what it judges badly is a `Finding`, not an error."""

from __future__ import annotations

from millrace.errors import MillraceError, TransientError


class VerifyError(MillraceError):
    """Something can not be judged."""


class SourceAwayError(TransientError):
    """A service that has to be asked does not answer."""

    def __init__(self, thing: str, cause: str) -> None:
        super().__init__(thing, cause, "make status")
