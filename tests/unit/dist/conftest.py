"""A small repository with a distribution of its own, and clients of registries that are scripts."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import textwrap
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from millrace.dist import checksums
from millrace.dist.units import GO, UNITS

ROOT = Path(__file__).resolve().parents[3]

#: Delivers the files that deliver.json lists, as the real one does: names in a list per module.
MAVEN_SCRIPT = """
    import json, os, pathlib, sys, time
    here = pathlib.Path(__file__).parent
    if sys.argv[1:] == ["--version"]:
        sys.exit(print("Apache Maven", os.environ.get("FAKE_MAVEN", "3.8.7")))
    with open(here / "calls", "a") as calls:
        print("mvn", *sys.argv[1:], file=calls)
    if os.environ.get("FAKE_SLEEP"):
        print("[INFO] Downloading from somewhere: x://y/slow.jar", flush=True)
        time.sleep(float(os.environ["FAKE_SLEEP"]))
    if said := os.environ.get("FAKE_FAILURE"):
        print(said)
        sys.exit(1)
    options = dict(a.lstrip("-").split("=", 1) for a in sys.argv[1:] if "=" in a)
    deliver = json.loads((here / "deliver.json").read_text())
    lists = pathlib.Path(options["Dmillrace.lists"])
    for unit in options["projects"].replace(":", "").split(","):
        for name in deliver[unit]:
            print("[INFO] Downloading from somewhere: x://y/" + pathlib.Path(name).name)
            print("[INFO] Downloaded from somewhere: x://y/a.jar (1.5 MB at 3.0 MB/s)")
        (lists / (unit + ".txt")).write_text(":".join(deliver[unit]))
        print("[INFO] --- dependency:3.8.1:properties (default-cli) @ " + unit + " ---", flush=True)
"""
GO_SCRIPT = """
    import pathlib, sys
    with open(pathlib.Path(__file__).parent / "calls", "a") as calls:
        print("go", *sys.argv[1:], file=calls)
    if sys.argv[1] == "version":
        print("go version go1.26.8 linux/amd64")
    elif sys.argv[1] == "env":
        print(pathlib.Path(__file__).parent / "modules")
    else:
        print("go: downloading example.com/Some/thing v1.0.0")
        print("example.com/some/thing")
        program = pathlib.Path(sys.argv[sys.argv.index("-o") + 1])
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text("program")
"""


@dataclass(frozen=True)
class Repository:
    """The small repository, its scripts and its state."""

    root: Path

    @property
    def tools(self) -> Path:
        """The only folder on PATH."""
        return self.root / "tools"

    @property
    def links(self) -> Path:
        """Where units are linked."""
        return self.root / ".millrace" / "dist"

    @property
    def units(self) -> Path:
        """The cache."""
        return self.root / "cache" / "millrace" / "units"

    @property
    def calls(self) -> list[str]:
        """Every call of a client."""
        file = self.tools / "calls"
        return file.read_text().splitlines() if file.exists() else []

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """What a run sees: nothing of the machine's own tools or settings."""
        own = {
            "PATH": str(self.tools),
            "HOME": str(self.root),
            "XDG_CACHE_HOME": str(self.root / "cache"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return {**own, **more}

    def command(self, *arguments: str) -> list[str]:
        """`python3 -m millrace.dist`, without the site packages."""
        return [sys.executable, "-S", "-m", "millrace.dist", *arguments]

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run the set-up to its end."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.root,
            env=self.environment(more),
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        """Begin a set-up."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.root,
            env=self.environment(more),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def interrupt(self, process: subprocess.Popen[str]) -> str:
        """End a run as a supervisor does; what it said on standard error."""
        os.kill(process.pid, signal.SIGTERM)
        return process.communicate(timeout=30)[1]

    def script(self, name: str, text: str) -> Path:
        """A Python program in the folder of tools."""
        path = self.tools / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!{sys.executable}\n{textwrap.dedent(text)}")
        path.chmod(0o755)
        return path

    def deliver(self, unit: str, files: Mapping[str, bytes]) -> list[Path]:
        """Let Maven have these files for a unit, and the checksum list hold them."""
        folder = self.root / "m2" / unit
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for name, content in files.items():
            # A new file, as Maven does it: units hold hard links to the former.
            (folder / name).unlink(missing_ok=True)
            (folder / name).write_bytes(content)
            paths.append(folder / name)
        listed = self.tools / "deliver.json"
        known = json.loads(listed.read_text()) if listed.exists() else {}
        listed.write_text(json.dumps({**known, unit: [str(path) for path in paths]}))
        checksums.write(self.root / "distribution" / "checksums" / f"{unit}.sha256", paths)
        return paths

    def words(self, text: str) -> str:
        """What was said, with this repository's place left out."""
        return text.replace(str(self.root), "<folder>")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """The code of the set-up, lock inputs for every unit, and scripts for Maven and Go."""
    root = tmp_path / "repository"
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "millrace" / "dist", root / "millrace" / "dist", ignore=ignore)
    for name in ("__init__.py", "errors.py"):
        shutil.copy(ROOT / "millrace" / name, root / "millrace" / name)
    made = Repository(root)
    for unit in (*UNITS.values(), GO):
        for name in unit.inputs:
            file = root / "distribution" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{name}\n" if not name.startswith("go/") else _go_input(name))
    (root / "distribution" / "python" / "build.txt").write_text("# nothing here needs building\n")
    made.script("mvn", MAVEN_SCRIPT)
    made.script("go", GO_SCRIPT)
    made.deliver("kafka", {"kafka.jar": b"kafka", "clients.jar": b"clients"})
    return made


def _go_input(name: str) -> str:
    texts = {"go.mod": "module x\n\ngo 1.25.0\n", "tools.go": 'package x\n\nimport _ "x.org/y"\n'}
    return texts.get(Path(name).name, "")


def make_tar(
    files: Mapping[str, bytes], links: Mapping[str, str] | None = None, mode: str = "gz"
) -> bytes:
    """A tar archive of these files, and of hard links to some of them."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=f"w:{mode}") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            archive.addfile(member, io.BytesIO(content))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.LNKTYPE, target
            archive.addfile(member)
    return packed.getvalue()


def make_jar(files: Mapping[str, bytes]) -> bytes:
    """A zip archive of these files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def make_java_home(folder: Path, version: str, *, release: bool = True) -> Path:
    """A folder whose bin/java says that it is of this version, and counts its starts."""
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(
        f"#!/bin/sh\necho >>{folder}/starts\necho 'openjdk version \"{version}\"' >&2\n"
    )
    java.chmod(0o755)
    if release:
        (folder / "release").write_text(f'JAVA_VERSION="{version}"\n')
    return folder


@pytest.fixture
def tar() -> Callable[..., bytes]:
    """`make_tar`: test modules can not import this file."""
    return make_tar


@pytest.fixture
def jar() -> Callable[..., bytes]:
    """`make_jar`."""
    return make_jar


@pytest.fixture
def java_home() -> Callable[..., Path]:
    """`make_java_home`."""
    return make_java_home
