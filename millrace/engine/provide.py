"""Hands out an engine with Compose, buildx and the base image: the machine's, or one of our own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from millrace.cluster.docker.engine import EngineError, ask, find_engine
from millrace.engine import base_image, daemon, plugins
from millrace.engine.daemon import Place, Say

#: What an administrator put here is trusted by this machine beyond what its system ships.
LOCAL_AUTHORITIES = Path("/usr/local/share/ca-certificates")
BUILD_AUTHORITIES = "MILLRACE_BUILD_CA_BUNDLE"


@contextmanager
def engine(say: Say, place: Place | None = None) -> Iterator[dict[str, str]]:
    """The variables by which child processes reach an engine that can build and run the images.

    They are set in this process, too. What was started here is stopped at the end.

    Raises:
        MillraceError: no engine answers and none can be started, or a part of it can not be had.
    """
    place = place or daemon.default_place()
    before = dict(os.environ)
    started = begin(say, place)
    try:
        yield {name: value for name, value in os.environ.items() if before.get(name) != value}
    finally:
        if started:
            daemon.stop(place, say)
        os.environ.clear()
        os.environ.update(before)


def begin(say: Say, place: Place) -> bool:
    """Have an engine, and lead this process to it; True where it was started just now."""
    started = False
    try:
        ask("info", "--format", "{{.ServerVersion}}", timeout=20.0)
    except EngineError:
        # An address that the user has set is meant.
        if os.environ.get("DOCKER_HOST") or not daemon.may_install():
            raise
        daemon.install_packages(say)
        say("no container engine answers here")
        started = daemon.start(place, say)
        os.environ["DOCKER_HOST"] = place.address
        os.environ.pop("DOCKER_CONTEXT", None)
    try:
        os.environ.update(plugins.ensure(place, os.environ, say))
        base_image.ensure(os.environ, say)
        os.environ.update(authorities(LOCAL_AUTHORITIES, os.environ))
        found = find_engine()
    except BaseException:
        if started:
            daemon.stop(place, say)
        raise
    say(f"engine {found.version}, Compose {found.compose}")
    return started


def authorities(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """The build secret with the machine's own certificate authorities, where it has any.

    The steps of a build run on a plain Debian, which does not know them.
    """
    files = sorted(folder.rglob("*.crt"))
    if BUILD_AUTHORITIES in environment or not files:
        return {}
    return {BUILD_AUTHORITIES: "".join(f"{file.read_text().strip()}\n" for file in files)}
