"""Where units live, and when one counts as there.

A unit is built at `<cache>/units/<name>-<key>/`, under a lock on the file beside it, and its stamp
`.complete` is written last. The key is a hash of everything that decides its content, so a
changed lock is another folder and a running cluster keeps its own.
"""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import json
import os
import platform
import shlex
import shutil
import stat
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from millrace.dist.errors import BuildError

STAMP = ".complete"
#: Part of every key: raise it when the code assembles units differently from the same inputs.
RECIPE = "1"
WAIT_SECONDS = 0.2


@dataclass(frozen=True)
class Stamp:
    """What is known of a finished unit: bytes on disk, seconds to make it."""

    size: int
    seconds: float


def cache_folder() -> Path:
    """The user's cache of Millrace."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().absolute() / "millrace"


def key_of(files: Iterable[Path], *more: str) -> str:
    """Twelve hex digits that change when a file's content or name, or one of `more`, does."""
    digest = hashlib.sha256("\0".join((RECIPE, platform.machine(), *more)).encode())
    for file in files:
        digest.update(f"\0{file.name}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def read_stamp(folder: Path) -> Stamp | None:
    """The stamp of a finished unit; None when the unit is missing or was interrupted."""
    try:
        return Stamp(**json.loads((folder / STAMP).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def write_stamp(folder: Path, seconds: float) -> Stamp:
    """Declare a unit finished; the stamp appears whole or not at all."""
    stamp = Stamp(size=size_of(folder), seconds=round(seconds, 1))
    new = folder / f"{STAMP}.new"
    new.write_text(json.dumps(asdict(stamp)))
    new.replace(folder / STAMP)
    return stamp


def size_of(*folders: Path) -> int:
    """Bytes that folders occupy; files under several names count once."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for path, _, names in itertools.chain.from_iterable(map(os.walk, folders)):
        for name in names:
            entry = os.lstat(os.path.join(path, name))
            if stat.S_ISREG(entry.st_mode) and (entry.st_dev, entry.st_ino) not in seen:
                seen.add((entry.st_dev, entry.st_ino))
                total += entry.st_size
    return total


def remove(folder: Path) -> None:
    """Remove a folder that may be absent; the stamp goes first, so that half a unit is none."""
    (folder / STAMP).unlink(missing_ok=True)
    if folder.exists():
        shutil.rmtree(folder)


def leftovers(units: Path, wanted: Collection[Path]) -> list[Path]:
    """Folders of units, complete or not, that the present locks do not name."""
    if not units.is_dir():
        return []
    return sorted(path for path in units.iterdir() if path.is_dir() and path not in wanted)


def remove_unlocked(folder: Path) -> bool:
    """Remove a folder unless a run is filling it; False then."""
    with (folder.parent / f"{folder.name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        remove(folder)
    return True


@contextmanager
def locked(folder: Path, waiting: Callable[[], None]) -> Iterator[int]:
    """Hold the lock of a unit; yields its descriptor.

    The descriptor is handed to the programs that fill the folder: a survivor of a killed run
    keeps the lock, so nobody rebuilds the folder while it still writes.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as file:
        told = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    waiting()
                    told = True
                time.sleep(WAIT_SECONDS)
        yield file.fileno()


def link(target: Path, place: Path) -> None:
    """Make `place` a symbolic link to `target`, in one step."""
    if place.is_symlink() and Path(os.readlink(place)) == target:
        return
    if place.exists() and not place.is_symlink():
        remedy = f"rm -r {shlex.quote(str(place))} && make install"
        raise BuildError(str(place), "it is not a link of `make install`", remedy)
    place.parent.mkdir(parents=True, exist_ok=True)
    new = place.with_name(f".{place.name}.{os.getpid()}")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(place)
