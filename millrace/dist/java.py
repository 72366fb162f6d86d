"""Find the machine's Java runtimes of the wanted versions, or say that there is none."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from millrace.dist.errors import WrongJavaError

SYSTEM = Path("/usr/lib/jvm")
VERSION = re.compile(r'version "(?:1\.)?(\d+)')
RELEASE = re.compile(r'^JAVA_VERSION="(?:1\.)?(\d+)', re.MULTILINE)
SECONDS = 30


@dataclass(frozen=True)
class Wanted:
    """One runtime: the unit's name and the versions it may have."""

    name: str
    accepts: Callable[[int], bool]
    said: str

    @property
    def variable(self) -> str:
        """The variable by which a user names its home."""
        return f"MILLRACE_{self.name.upper()}_HOME"


#: Hadoop, Kafka, the metastore and Spark were proven on 17; Trino and the registry need newer.
JAVA_17 = Wanted("java17", lambda major: major == 17, "17")  # noqa: PLR2004
JAVA_25 = Wanted("java25", lambda major: major >= 24, "24 or newer")  # noqa: PLR2004


class Runtimes:
    """Runtimes of this machine; what `java -version` said is remembered beside the units."""

    def __init__(self, memory: Path, system: Path = SYSTEM) -> None:
        self.memory = memory
        self.system = system
        try:
            self._known: dict[str, list[int]] = json.loads(memory.read_text())
        except (OSError, ValueError):
            self._known = {}

    def find(self, wanted: Wanted) -> Path | None:
        """The home of a fitting runtime; None when the machine has none.

        Raises:
            WrongJavaError: the user names a home that does not fit.
        """
        named = os.environ.get(wanted.variable)
        if named:
            home = Path(named).expanduser().absolute()
            major = self.version(home)
            if major is None or not wanted.accepts(major):
                found = "holds no bin/java that runs" if major is None else f"is Java {major}"
                raise WrongJavaError(
                    wanted.variable,
                    f"{named} {found}, and Java {wanted.said} is needed",
                    f"unset {wanted.variable}  # a fitting one is found or fetched",
                )
            return home
        for home in self._candidates():
            told = self._release(home)
            if told is not None and not wanted.accepts(told):
                continue
            major = self.version(home)
            if major is not None and wanted.accepts(major):
                return home
        return None

    def version(self, home: Path) -> int | None:
        """The major version that the runtime in a folder reports; None when it does not run."""
        java = home / "bin" / "java"
        try:
            state = java.stat()
        except OSError:
            return None
        mark = [state.st_mtime_ns, state.st_size]
        known = self._known.get(str(home))
        if known and known[:2] == mark:
            return known[2]
        try:
            told = subprocess.run(
                [str(java), "-version"],
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        match = VERSION.search(told.stderr + told.stdout)
        if told.returncode or match is None:
            return None
        self._known[str(home)] = [*mark, int(match[1])]
        self.memory.parent.mkdir(parents=True, exist_ok=True)
        new = self.memory.with_name(f"{self.memory.name}.{os.getpid()}")
        new.write_text(json.dumps(self._known))
        new.replace(self.memory)
        return int(match[1])

    def on_path(self) -> bool:
        """True when Maven's own launcher finds some Java."""
        return bool(os.environ.get("JAVA_HOME")) or shutil.which("java") is not None

    def _candidates(self) -> Iterator[Path]:
        """Places to look at, each runtime once."""
        places = []
        if os.environ.get("JAVA_HOME"):
            places.append(Path(os.environ["JAVA_HOME"]))
        if self.system.is_dir():
            places += sorted(self.system.iterdir())
        if on_path := shutil.which("java"):
            places.append(Path(on_path).resolve().parent.parent)
        seen = set()
        for home in places:
            real = home.resolve()
            if real not in seen and (real / "bin" / "java").exists():
                seen.add(real)
                yield real

    def _release(self, home: Path) -> int | None:
        """The version in the runtime's `release` file, which saves starting the wrong ones."""
        try:
            match = RELEASE.search((home / "release").read_text())
        except OSError:
            return None
        return int(match[1]) if match else None
