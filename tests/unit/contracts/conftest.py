"""A folder of contracts that a test may spoil, and what the command line says of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from millrace.cli import main
from millrace.contracts import Contract, load_contract
from millrace.settings import load

VISITS = """\
apiVersion: v3.2.0
kind: DataContract
id: visits
version: 1.0.0
description:
  purpose: Visits of pages.
team:
  name: web
schema:
  - name: visits
    properties:
      - name: visit_id
        logicalType: string
        primaryKey: true
      - name: page
        logicalType: string
        required: true
      - name: seconds
        logicalType: integer
        logicalTypeOptions:
          minimum: 0
      - name: visited_at
        logicalType: timestamp
"""

ReadContract = Callable[[str], Contract]
RunCli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one good contract, `visits`."""
    folder = tmp_path / "contracts"
    folder.mkdir()
    (folder / "visits.yaml").write_text(VISITS)
    return folder


@pytest.fixture
def read(folder: Path) -> ReadContract:
    """Read a contract text as that of `visits`."""

    def read_text(text: str) -> Contract:
        path = folder / "visits.yaml"
        path.write_text(text)
        return load_contract(path)

    return read_text


@pytest.fixture
def cli(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[RunCli]:
    """Run the command line on the folder; gives exit code, standard output and error."""
    monkeypatch.setenv("MILLRACE_CONTRACTS", str(folder))
    monkeypatch.setenv("MILLRACE_HOME", str(folder.parent / "home"))

    def run(*arguments: str) -> tuple[int, str, str]:
        load.cache_clear()
        monkeypatch.setattr(sys, "argv", ["millrace", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out, said.err.replace(str(folder), "contracts")

    yield run
    load.cache_clear()
