"""What the repository says of the distribution: complete, hashed, and without any address."""

from __future__ import annotations

import ast
import io
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from millrace.dist import checksums
from millrace.dist.progress import Progress
from millrace.dist.units import GO, MAVEN_PROJECT, UNITS

ROOT = Path(__file__).resolve().parents[3]
DISTRIBUTION = ROOT / "distribution"
MAVEN = [unit.name for unit in UNITS.values() if unit.kind == "maven"]
LOCKS = sorted((DISTRIBUTION / "python").glob("*.txt"))


def test_every_input_of_a_unit_is_there() -> None:
    for unit in (*UNITS.values(), GO):
        for name in unit.inputs:
            assert (DISTRIBUTION / name).is_file(), name


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_has_hashes_and_no_address(lock: Path) -> None:
    text = lock.read_text()
    assert not re.search(r"://|--(?!hash=sha256:)\S+", text)
    packages = re.findall(r"^([\w.\-\[\]]+)==\S+ \\\n    --hash=", text, re.MULTILINE)
    assert packages
    assert len(packages) == len(re.findall(r"^\w", text, re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_holds_what_people_ask_for(lock: Path) -> None:
    locked = dict(re.findall(r"^([\w.\-]+)==(\S+)", lock.read_text(), re.MULTILINE))
    wanted = lock.with_suffix(".in").read_text()
    for name, exact in re.findall(r"^([\w.\-]+)(?:\[.*\])?(?:==([\w.]+)$)?", wanted, re.MULTILINE):
        version = locked.get(name.lower().replace(".", "-"))
        assert version, f"{name} is not locked"
        assert not exact or version == exact


def test_the_poms_name_no_registry_and_are_the_modules_of_one_project() -> None:
    space = {"m": "http://maven.apache.org/POM/4.0.0"}
    whole = ElementTree.parse(DISTRIBUTION / MAVEN_PROJECT)  # noqa: S314 - our own file
    modules = sorted(item.text or "" for item in whole.iterfind(".//m:module", space))
    assert modules == sorted(name for name in MAVEN if UNITS[name].project == MAVEN_PROJECT)
    for pom in (DISTRIBUTION / "maven").rglob("pom.xml"):
        tree = ElementTree.parse(pom)  # noqa: S314 - our own file
        for tag in ("repository", "pluginRepository", "distributionManagement"):
            assert tree.find(f".//m:{tag}", space) is None, pom


@pytest.mark.parametrize("unit", MAVEN)
def test_every_delivered_file_has_a_checksum(unit: str) -> None:
    listed = checksums.read(DISTRIBUTION / "checksums" / f"{unit}{checksums.SUFFIX}")
    assert listed
    assert all(re.fullmatch(r"[0-9a-f]{64}", value) for value in listed.values())


def test_the_set_up_runs_on_the_standard_library_alone() -> None:
    allowed = {"millrace.dist", "millrace.errors"}
    for file in (ROOT / "millrace" / "dist").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            for name in names:
                ours = any(name == own or name.startswith(f"{own}.") for own in allowed)
                assert ours or name.split(".")[0] in sys.stdlib_module_names, (file.name, name)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_what_is_under_way_below_the_events() -> None:
    stream = Terminal()
    with Progress(stream) as progress, progress.working("trino", "downloading"):
        progress.say("kafka", "ready")
        progress.say("hadoop", "ready")
    shown = stream.getvalue()
    assert shown.count("… downloading") == 2
    assert "\x1b[1F\x1b[J" in shown


def test_a_log_gets_plain_lines_and_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("millrace.dist.progress.REDRAW", 0.01)
    monkeypatch.setattr("millrace.dist.progress.REPEAT", 0.05)
    stream = io.StringIO()
    with Progress(stream) as progress, progress.working("trino", "downloading"):
        progress._stopped.wait(0.3)
    assert "trino: downloading" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()
