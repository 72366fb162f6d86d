"""Commands as a reader of the documents runs them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def paste(commands: str) -> str:
    """Run what a reader would paste into a shell; every command has to succeed."""
    # What `make test ARGS=...` was given is not the reader's.
    of_make = ("MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS", "MAKELEVEL", "ARGS")
    environment = {name: value for name, value in os.environ.items() if name not in of_make}
    done = subprocess.run(
        ["/bin/sh", "-ec", commands],
        cwd=ROOT,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, f"{commands}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    assert "Traceback (most recent call last)" not in done.stderr, done.stderr[-8000:]
    return done.stdout
