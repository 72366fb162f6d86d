"""The stages of the demo: each is a command a user could type, run and timed."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass

import click

from millrace.errors import MillraceError
from millrace.settings import Settings


@dataclass(frozen=True)
class Stage:
    """One stage: what it does for the reader, and the arguments of `millrace` that do it."""

    title: str
    arguments: tuple[str, ...]


STAGES = (
    Stage("start the cluster", ("up",)),
    Stage("apply the contracts", ("apply",)),
    Stage("generate sample data", ("generate-data",)),
    Stage("run the pipeline", ("run", "enterprise_data_pipeline", "--follow")),
)
MEMORY = Stage("each service with its memory", ("status",))


def run_stage(settings: Settings, stage: Stage, position: str) -> float:
    """Run one stage in the foreground. Returns its seconds.

    Raises:
        MillraceError: the stage failed; it has already said why on standard error.
    """
    command = " ".join(("bin/millrace", *stage.arguments))
    click.secho(f"\n[{position}] {stage.title}  ({command})", bold=True)
    started = time.monotonic()
    done = subprocess.run(
        [str(settings.root / "bin" / "millrace"), *stage.arguments], cwd=settings.root, check=False
    )
    if done.returncode:
        raise MillraceError(
            f"demo stage '{stage.title}'",
            f"{command} ended with exit code {done.returncode}, its message is above",
            f"{command}  # then make demo again: every stage may run twice",
        )
    return time.monotonic() - started
