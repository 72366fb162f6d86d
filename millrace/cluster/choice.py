"""Which runtime a cluster has: `RUNTIME`, else what its state folder recorded, else what is here.

A state folder belongs to one runtime until `make destroy`: its secrets and its ledger are those of
one cluster. Needs the standard library alone: `make install` asks before anything is installed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from millrace.cluster.docker.engine import EngineError, find_engine
from millrace.errors import MillraceError

NATIVE, DOCKER = "native", "docker"
_NAMES = (NATIVE, DOCKER)
_FILE = "runtime"
_ROOT = Path(__file__).resolve().parent.parent.parent


def wanted() -> str:
    """What the user asks for by `RUNTIME`; empty where nothing is said.

    Raises:
        MillraceError: there is no such runtime.
    """
    name = os.environ.get("RUNTIME", "")
    if name and name not in _NAMES:
        cause = "there is no such runtime; there are: docker, native"
        raise MillraceError(f"RUNTIME={name}", cause, "unset RUNTIME")
    return name


def recorded(home: Path) -> str:
    """The runtime that the state folder belongs to; empty where it belongs to none yet."""
    try:
        name = (home / _FILE).read_text().strip()
    except OSError:
        name = ""
    if name in _NAMES:
        return name
    # A cluster from before there was a record.
    data = home / "data"
    return NATIVE if data.is_dir() and any(data.iterdir()) else ""


def record(home: Path, name: str) -> None:
    """Remember the runtime of a state folder."""
    if recorded(home) != name or not (home / _FILE).exists():
        home.mkdir(parents=True, exist_ok=True)
        temporary = home / f"{_FILE}.new"
        temporary.write_text(f"{name}\n")
        temporary.replace(home / _FILE)


def choose(home: Path) -> str:
    """`docker` or `native`."""
    return wanted() or recorded(home) or _here()


def _here() -> str:
    """Docker where an engine with Compose answers."""
    try:
        find_engine()
    except EngineError:
        return NATIVE
    return DOCKER


def state_folder() -> Path:
    """The state folder, as `millrace.settings` has it, without its libraries."""
    return Path(os.environ.get("MILLRACE_HOME") or _ROOT / ".millrace").expanduser().absolute()


if __name__ == "__main__":
    try:
        print(choose(state_folder()))
    except MillraceError as error:
        sys.exit(f"error: {error}")
