"""Python environments from hashed locks, and programs that PyPI carries for those without them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from millrace.dist.errors import MEGABYTE, MissingToolError
from millrace.dist.process import Runner
from millrace.dist.progress import Progress

PYTHON = (3, 11)
REMEDY = (
    "sudo apt-get install python3.11 python3.11-venv"
    "  # as on Debian 12; elsewhere, put any python3.11 with venv on your PATH"
)
DOWNLOADING = re.compile(r"Downloading (\S+?)(?:\.metadata)? \(([\d.]+) ([kMG]?B)\)")
STEP = re.compile(r"(Using cached|Building wheel|Preparing metadata) .*")
INSTALLING = "Installing collected packages:"
UNITS = {"B": 1, "kB": 1_000, "MB": MEGABYTE, "GB": 1_000 * MEGABYTE}
BUILD_LOCK = "build.txt"
#: Build PySpark's wheel without compressing 430 MB of jars that are unpacked a moment later.
BUILD_CONFIGURATION = "[bdist_wheel]\ncompression = stored\n"


def find_python() -> str:
    """A Python 3.11 that can make environments: this one, or `python3.11` of the machine.

    Raises:
        MissingToolError: there is none, or it lacks a module.
    """
    # Within an environment the base interpreter is meant: environments do not nest.
    here = getattr(sys, "_base_executable", sys.executable)
    python = here if sys.version_info[:2] == PYTHON else shutil.which("python3.11")
    if python is None:
        raise MissingToolError(
            "python3.11",
            f"it is not on your PATH, and this Python is {sys.version.split()[0]}",
            REMEDY,
        )
    check = "import sys; assert sys.version_info[:2] == (3, 11); import ensurepip, venv, lzma, ssl"
    try:
        subprocess.run([python, "-I", "-c", check], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1]
        raise MissingToolError(python, f"it can not make environments ({reason})", REMEDY) from None
    return python


class Pip:
    """Runs pip for units and counts what it downloads."""

    def __init__(self, runner: Runner, progress: Progress) -> None:
        self.runner = runner
        self.progress = progress
        self.downloaded = 0

    def environment(self, unit: str, lock: Path, folder: Path, keep: Sequence[int]) -> None:
        """Make a virtual environment that holds exactly what a lock lists."""
        self.progress.doing(unit, "making the environment")
        self.runner.run(unit, [find_python(), "-I", "-m", "venv", str(folder)], keep=keep)
        python = str(folder / "bin" / "python")
        # What builds the few packages that come as sources is pinned, too: pip would otherwise
        # fetch the newest for each, unhashed.
        self._install(unit, python, lock.with_name(BUILD_LOCK), (), keep, folder)
        self._install(unit, python, lock, ("--no-build-isolation", "--use-pep517"), keep, folder)

    def program(self, unit: str, lock: Path, folder: Path, keep: Sequence[int]) -> None:
        """Install the one package of a lock into a folder of its own."""
        self._install(unit, find_python(), lock, ("--target", str(folder)), keep, folder)

    def _install(
        self,
        unit: str,
        python: str,
        lock: Path,
        options: Sequence[str],
        keep: Sequence[int],
        folder: Path,
    ) -> None:
        configuration = folder.with_name(f"{folder.name}.cfg")
        configuration.write_text(BUILD_CONFIGURATION)
        command = [
            *(python, "-I", "-m", "pip", "install", "--require-hashes", "--no-deps"),
            *("--no-input", "--progress-bar=off", "--disable-pip-version-check"),
            *("--no-warn-script-location", *options, "-r", str(lock)),
        ]
        wanted = sum(1 for line in lock.read_text().splitlines() if "==" in line)
        seen = 0

        def follow(line: str) -> None:
            nonlocal seen
            if line.startswith("Collecting "):
                seen += 1
            elif match := DOWNLOADING.search(line):
                size = float(match[2]) * UNITS[match[3]]
                self.downloaded += round(size)
                text = f"{seen} of {wanted}: downloading {match[1]} ({size / MEGABYTE:.1f} MB)"
                self.progress.doing(unit, text)
            elif line.startswith(INSTALLING):
                self.progress.doing(unit, f"installing {line.count(',') + 1} packages")
            elif match := STEP.search(line):
                self.progress.doing(unit, f"{seen} of {wanted}: {match[0][:80]}")

        self.progress.doing(unit, "asking for packages")
        try:
            environment = {"DIST_EXTRA_CONFIG": str(configuration)}
            self.runner.run(unit, command, follow, environment=environment, keep=keep)
        finally:
            configuration.unlink(missing_ok=True)
