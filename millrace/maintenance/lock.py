"""One maintenance of a table at a time on a machine.

The lock is the operating system's, on a file of the state folder, so a killed run leaves none
behind. It only spares two runs each other's work: what keeps the table whole where they do not
share a state folder is that every commit is compare and swap.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def table_lock(folder: Path, name: str) -> Iterator[str | None]:
    """Hold the table's lock, or yield who holds it; it is not waited for.

    Args:
        folder: where the lock files are; made where it is missing.
        name: `namespace.name`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            yield f"process {file.read().strip() or 'unknown'}"
            return
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield None
