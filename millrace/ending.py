"""The end of a process that has read files with Arrow.

A thread of Arrow's can let go of a Python file after the last read. If the interpreter is being
taken apart by then, C++ aborts the process, whose work is done (apache/arrow issue 34314).
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable

#: What Python itself ends with when its output can not be written.
UNWRITTEN = 120
INTERRUPTED = 130


class _Leaving:
    """The last of the exit handlers: ends the process while the interpreter is whole."""

    def __init__(self) -> None:
        self.status = 1  # what a traceback ends with

    def __call__(self) -> None:
        try:
            for stream in (sys.stderr, sys.stdout):
                if stream is not None and not stream.closed:
                    stream.flush()
        except OSError as error:
            self.status = self.status or UNWRITTEN
            os.write(2, f"error: the output can not be written: {error}\n".encode())
        finally:
            os._exit(self.status)


def run(main: Callable[[], None]) -> None:
    """Run `main`, after which the process ends without taking the interpreter apart.

    Threads are waited for and exit handlers run as ever: the first that is registered is the last
    to run, so nothing that `main` loads is left out.
    """
    leaving = _Leaving()
    atexit.register(leaving)
    try:
        main()
    except SystemExit as ended:
        code = ended.code
        leaving.status = code if isinstance(code, int) else int(code is not None)
        raise
    except KeyboardInterrupt:
        leaving.status = INTERRUPTED
        raise
    leaving.status = 0
