"""Hands out an engine with Compose, buildx and the base image: the machine's, or one of our own."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, NoReturn

from millrace.cluster.docker.engine import EngineError, ask, find_engine
from millrace.engine import base_image, daemon, packages, plugins
from millrace.engine.daemon import Place
from millrace.engine.packages import Say
from millrace.errors import MillraceError

#: What an administrator put here is trusted by this machine beyond what its system ships.
LOCAL_AUTHORITIES = Path("/usr/local/share/ca-certificates")
BUILD_AUTHORITIES = "MILLRACE_BUILD_CA_BUNDLE"


@contextmanager
def engine(say: Say, place: Place | None = None) -> Iterator[dict[str, str]]:
    """The variables by which child processes reach an engine that can build and run the images.

    They are set in this process, too. At the end the private engine is stopped, unless another
    run uses it or it was started by hand; also at the end that SIGTERM makes.

    Raises:
        MillraceError: no engine answers and none can be started, or a part of it can not be had.
    """
    place = place or daemon.default_place()
    before = dict(os.environ)
    with _users(place) as users, ended_by_sigterm():
        fcntl.flock(users, fcntl.LOCK_SH)
        try:
            begin(say, place)
            yield {name: value for name, value in os.environ.items() if before.get(name) != value}
        finally:
            if not _by_hand(place).exists() and _last_of(users):
                daemon.stop(place, say)
            os.environ.clear()
            os.environ.update(before)


def start_by_hand(say: Say, place: Place) -> None:
    """Have an engine that stays until `stop_by_hand`, and lead this process to it.

    Raises:
        MillraceError: as of `engine`.
    """
    with _users(place) as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        begin(say, place)
        if os.environ.get("DOCKER_HOST") == place.address:
            _by_hand(place).touch()


def stop_by_hand(say: Say, place: Place) -> None:
    """Stop the private engine, whoever started it.

    Raises:
        MillraceError: a run of the tests uses it, or it does not stop.
    """
    with _users(place) as users:
        if not _last_of(users):
            cause = "a run of the tests uses it, and stops it at its end"
            remedy = f"fuser -v {place.folder}/users.lock  # shows that run"
            raise MillraceError("the private engine", cause, remedy)
        _by_hand(place).unlink(missing_ok=True)
        daemon.stop(place, say)


def begin(say: Say, place: Place) -> None:
    """Have an engine, and lead this process to it; a daemon that this starts stays on success."""
    started = False
    try:
        ask("info", "--format", "{{.ServerVersion}}", timeout=20.0)
    except EngineError:
        # An address that the user has set is meant.
        if os.environ.get("DOCKER_HOST") or not packages.may_install():
            raise
        say("no container engine answers here")
        if not daemon.running(place):
            daemon.refuse_beside_another()
        packages.install_packages(say)
        started = daemon.start(place, say)
        if started:
            _by_hand(place).unlink(missing_ok=True)
        os.environ["DOCKER_HOST"] = place.address
        os.environ.pop("DOCKER_CONTEXT", None)
    try:
        os.environ.update(plugins.ensure(place, os.environ, say))
        ours = os.environ.get("DOCKER_HOST") == place.address
        base_image.ensure(os.environ, say, may_make=ours)
        os.environ.update(authorities(LOCAL_AUTHORITIES, os.environ))
        found = find_engine()
    except BaseException:
        if started:
            daemon.stop(place, say)
        raise
    say(f"engine {found.version}, Compose {found.compose}")


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM, by which a CI ends a run, pass through every `finally` below this block."""

    def end(_number: int, _frame: FrameType | None) -> NoReturn:
        # A second one must not break off the tidying.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sys.exit(128 + signal.SIGTERM)

    former = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


@contextmanager
def _users(place: Place) -> Iterator[IO[str]]:
    """The file on which each user of the private engine holds a shared lock."""
    place.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (place.folder / "users.lock").open("w") as users:
        yield users


def _last_of(users: IO[str]) -> bool:
    """Whether nobody else uses the engine; whoever comes waits until the file is closed."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _by_hand(place: Place) -> Path:
    """Exists while the engine is one that was started by hand."""
    return place.folder / "by-hand"


def authorities(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """The build secret with the machine's own certificate authorities, where it has any.

    The steps of a build run on a plain Debian, which does not know them.
    """
    files = sorted(folder.rglob("*.crt"))
    if BUILD_AUTHORITIES in environment or not files:
        return {}
    return {BUILD_AUTHORITIES: "".join(f"{file.read_text().strip()}\n" for file in files)}
