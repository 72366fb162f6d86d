"""The state folder of a cluster: closed to others, changed by one command at a time."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from millrace.errors import MillraceError
from millrace.settings import Settings

_MARKER = "cluster"


@contextmanager
def only_one(
    settings: Settings, does: str = "starting or stopping it", file: str = "lock"
) -> Iterator[None]:
    """Let one command at a time do something to this cluster."""
    folder = settings.home / "supervisor"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / file).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise MillraceError(
                "the cluster",
                f"another command is {does}",
                "make status  # when that command has ended",
            ) from None
        yield


def close(home: Path) -> None:
    """Make the state folder, keep the machine's other users out of it, and mark it as one."""
    home.mkdir(parents=True, exist_ok=True)
    # Not another user's: PostgreSQL under root is root without its rights, and would be out, too.
    if home.stat().st_uid == os.getuid():
        home.chmod(0o700)
    (home / _MARKER).write_text("The state of a Millrace cluster.\n")


def is_marked(home: Path) -> bool:
    """Whether the folder is the state of a cluster."""
    return (home / _MARKER).is_file()


def check_marked(settings: Settings) -> None:
    """Refuse to delete what is not the state of a cluster.

    Raises:
        MillraceError: there is no state folder, or it is something else.
    """
    home = settings.home
    if not home.exists():
        raise MillraceError(str(home), "there is no state folder", "make up")
    if not is_marked(home) or home in (settings.root, settings.root.home()):
        cause = "is not the state folder of a Millrace cluster: nothing was deleted"
        remedy = "unset MILLRACE_HOME  # or set it to the state folder"
        raise MillraceError(str(home), cause, remedy)


def empty(home: Path) -> None:
    """Delete everything but the links to the distribution."""
    # The lock is held meanwhile: it goes last.
    for entry in sorted(home.iterdir(), key=lambda entry: entry.name == "supervisor"):
        if entry.name in ("dist", _MARKER):
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
