"""Compose and buildx for a client that came without them, as Debian's does."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from millrace.cluster.docker.engine import call
from millrace.dist import cache
from millrace.dist.install import Installation
from millrace.dist.progress import Progress
from millrace.dist.units import choose
from millrace.dist.workshop import Paths
from millrace.engine.daemon import Place
from millrace.engine.packages import Say

PLUGINS = ("compose", "buildx")
_DISTRIBUTION = Path(__file__).resolve().parent.parent.parent / "distribution"


def missing(environment: Mapping[str, str]) -> list[str]:
    """The plugins that the client does not have."""
    return [name for name in PLUGINS if call(name, "version", environment=environment).returncode]


def ensure(place: Place, environment: Mapping[str, str], say: Say) -> dict[str, str]:
    """Have both plugins; returns the variables that lead the client to them.

    Raises:
        MillraceError: they can not be built.
    """
    lacking = missing(environment)
    if not lacking:
        return {}
    # Both: a client reads the plugins of one folder of settings, which is not the user's then.
    say(f"this client has no {' and no '.join(lacking)}: taking {' and '.join(PLUGINS)} as pinned")
    installation = Installation(Paths(_DISTRIBUTION, cache.cache_folder()), place.folder)
    with Progress(sys.stderr) as progress:
        installation.run(choose(list(PLUGINS)), progress)
    folder = place.config / "cli-plugins"
    folder.mkdir(parents=True, exist_ok=True)
    for name in PLUGINS:
        program = f"docker-{name}"
        cache.link(place.folder / "dist" / name / "bin" / program, folder / program)
    _link_settings(place, environment)
    return {"DOCKER_CONFIG": str(place.config)}


def _link_settings(place: Place, environment: Mapping[str, str]) -> None:
    """Keep what the user has set: a proxy for builds, access to registries."""
    folder = environment.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")
    settings = Path(folder) / "config.json"
    if settings.is_file() and Path(folder) != place.config:
        cache.link(settings, place.config / "config.json")
