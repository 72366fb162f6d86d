"""Go programs, built from pinned modules whose sums stand in the repository."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from millrace.dist.process import Runner
from millrace.dist.progress import Progress

VERSION = re.compile(r"go(\d+)\.(\d+)(?:\.(\d+))?")
REQUIRED = re.compile(r"^go (\d+)\.(\d+)(?:\.(\d+))?$", re.MULTILINE)
DOWNLOADING = re.compile(r"^go: downloading (\S+) (\S+)$")
PINNED = re.compile(r"^require \S+ (v\S+)$", re.MULTILINE)
IMPORTED = re.compile(r'^import _ "([^"]+)"$', re.MULTILINE)

Version = tuple[int, ...]


def _version(match: re.Match[str]) -> Version:
    return tuple(int(part or 0) for part in match.groups())


def required(module: Path) -> Version:
    """The lowest Go that a module accepts, from its go.mod."""
    match = REQUIRED.search((module / "go.mod").read_text())
    assert match, module
    return _version(match)


def machine_go(lowest: Version) -> str | None:
    """The machine's `go` when it is new enough."""
    go = shutil.which("go")
    if go is None:
        return None
    try:
        told = subprocess.run([go, "version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    match = VERSION.search(told)
    return go if match and _version(match) >= lowest else None


class Go:
    """Builds programs and counts what `go` downloads for them."""

    def __init__(self, runner: Runner, progress: Progress, find: Callable[[Path], str]) -> None:
        self.runner = runner
        self.progress = progress
        self.find = find
        self.downloaded = 0

    def build(
        self, unit: str, module: Path, binary: Path, keep: Sequence[int], version_in: str = ""
    ) -> None:
        """Build the program that a module's tools.go imports.

        Args:
            unit: for whom.
            module: the folder of go.mod, go.sum and tools.go.
            binary: the file to make.
            keep: descriptors that the compiler inherits.
            version_in: a variable of the program that is set to the version in go.mod.
        """
        go = self.find(module)
        imported = IMPORTED.search((module / "tools.go").read_text())
        assert imported, module
        pinned = PINNED.search((module / "go.mod").read_text())
        stamp = f" -X {version_in}={pinned[1]}" if version_in and pinned else ""
        nice = shutil.which("nice")
        command = [
            # Behind the downloads: what these feed (units, archives) is waited for by more.
            *([nice, "-n", "10"] if nice else []),
            *(go, "build", "-mod=readonly", "-trimpath", "-buildvcs=false"),
            # Without what only a debugger reads: a seventh of the compiler's time.
            *("-gcflags=all=-dwarf=false", f"-ldflags=-s -w{stamp}"),
            *("-v", "-o", str(binary), imported[1]),
        ]
        built, fetched = 0, []

        def follow(line: str) -> None:
            nonlocal built
            if match := DOWNLOADING.match(line):
                fetched.append((match[1], match[2]))
                self.progress.doing(unit, f"downloading module {len(fetched)}: {match[1]}")
            elif line and not line.startswith("go:"):
                built += 1
                self.progress.doing(unit, f"compiled {built} packages, now {line[:60]}")

        self.progress.doing(unit, "starting the build")
        # The compiler's own collector took 15 % of its time at the default of 100.
        settings = {} if "GOGC" in os.environ else {"GOGC": "400"}
        self.runner.run(unit, command, follow, environment=settings, folder=module, keep=keep)
        if fetched:
            self.downloaded += self._size(go, fetched)

    def _size(self, go: str, fetched: Sequence[tuple[str, str]]) -> int:
        """Bytes of the archives of these modules, in Go's download cache."""
        told = subprocess.run([go, "env", "GOMODCACHE"], capture_output=True, text=True, check=True)
        cache = Path(told.stdout.strip()) / "cache" / "download"
        total = 0
        for name, version in fetched:
            # Go writes capitals as "!" and the small letter.
            escaped = re.sub("[A-Z]", lambda match: f"!{match[0].lower()}", f"{name}/@v/{version}")
            archive = cache / f"{escaped}.zip"
            total += archive.stat().st_size if archive.exists() else 0
        return total
