"""`python3 -m millrace.cluster.install`: fetch or build what the chosen runtime runs on.

Natively every unit of the distribution; for Docker the environment of the command line, and the
images. Needs the standard library alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from millrace.cluster.choice import DOCKER, choose, state_folder
from millrace.cluster.docker.engine import find_engine
from millrace.errors import MillraceError

_ROOT = Path(__file__).resolve().parent.parent.parent


def install() -> int:
    """Install; returns the exit code of the step that failed, or 0.

    Raises:
        MillraceError: Docker is asked for, and no engine answers.
    """
    runtime = choose(state_folder())
    fetch = [sys.executable, "-m", "millrace.dist"]
    if runtime != DOCKER:
        return _run(fetch)
    # Before a download of minutes.
    find_engine()
    return _run([*fetch, "lake"]) or _run([str(_ROOT / "bin" / "millrace"), "build"])


def _run(command: list[str]) -> int:
    return subprocess.run(command, cwd=_ROOT, env=os.environ, check=False).returncode


if __name__ == "__main__":
    try:
        sys.exit(install())
    except MillraceError as error:
        sys.exit(f"error: {error}")
