"""Waits for what is observed, each with a deadline. Nothing here strikes by the clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from millrace.errors import MillraceError

Seen = TypeVar("Seen")

POLL_S = 0.1
#: The first batch after a start comes within 40 s on a quiet machine of two cores, 200 s on a busy
#: one.
MOMENT_S = 300.0


class NotSeenError(MillraceError):
    """What a fault waited for did not come: nothing is proved by the run."""

    def __init__(self, what: str, within_s: float, last: Exception | None = None) -> None:
        cause = f"was not seen within {within_s:.0f} s"
        if last is not None:
            cause += f" (last error: {' '.join(str(last).split())})"
        super().__init__(what, cause, "make chaos  # again; or look: bin/millrace landing status")


def until(
    what: str,
    look: Callable[[], Seen | None],
    within_s: float = MOMENT_S,
    poll_s: float = POLL_S,
) -> Seen:
    """Look until there is something to see, and give it.

    An error of a look counts as nothing seen: services are being killed.

    Raises:
        NotSeenError: there was nothing in time.
    """
    deadline = time.monotonic() + within_s
    last: Exception | None = None
    while True:
        try:
            if seen := look():
                return seen
            last = None
        except Exception as error:  # whatever a client raises while its service is away
            last = error
        if time.monotonic() > deadline:
            raise NotSeenError(what, within_s, last)
        time.sleep(poll_s)
