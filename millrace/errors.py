"""The one error base of Millrace.

Every error a user can cause names the thing, the cause and a command that mends it. The command
line prints the three on standard error and exits with `exit_code`; a traceback means a defect of
Millrace.
"""

from __future__ import annotations


class MillraceError(Exception):
    """A failure with its remedy.

    Args:
        thing: what failed, as the user knows it: a file, a service, a port, a dataset.
        cause: why, in one sentence without a closing stop.
        remedy: a command that can be run as printed, or what to change where.
    """

    #: True where trying the same again may succeed.
    transient = False
    #: Of the command that ends with it; another one where 1 says something else.
    exit_code = 1

    def __init__(self, thing: str, cause: str, remedy: str) -> None:
        super().__init__(thing, cause, remedy)
        self.thing = thing
        self.cause = cause
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.thing}: {self.cause}\n  to mend it: {self.remedy}"


class BadDataError(MillraceError):
    """A check has found bad data: the same data fail it again, so a task does not try it twice.

    millrace_airflow.millrace.BAD_DATA is the same number.
    """

    exit_code = 4


class TransientError(MillraceError):
    """A failure that may pass by itself: a service that is not ready, a lost race."""

    transient = True
