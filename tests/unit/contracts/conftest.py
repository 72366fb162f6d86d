"""A folder of contracts that a test may spoil, the command line on it, a catalog in memory."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.catalog import MetastoreCatalog
from pyiceberg.catalog.noop import NoopCatalog
from pyiceberg.exceptions import (
    CommitFailedException,
    NoSuchNamespaceError,
    NoSuchTableError,
    TableAlreadyExistsError,
)
from pyiceberg.table import CommitTableResponse, Table

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
def visits(folder: Path) -> Contract:
    """The good contract."""
    return load_contract(folder / "visits.yaml")


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


class MemoryCatalog(MetastoreCatalog, NoopCatalog):
    """The part of a catalog that applying uses, without a metastore; its metadata is real."""

    def __init__(self) -> None:
        super().__init__("memory")
        self.spaces: dict[str, dict[str, str]] = {"raw": {}}
        self.tables: dict[str, Table] = {}
        self._loses = False

    def lose_next_commit(self) -> None:
        """Let somebody else win the next race."""
        self._loses = True

    def create_namespace(self, namespace: Any, properties: Any = None) -> None:
        self.spaces[namespace] = dict(properties or {})

    def load_namespace_properties(self, namespace: Any) -> dict[str, str]:
        if namespace not in self.spaces:
            raise NoSuchNamespaceError(namespace)
        return self.spaces[namespace]

    def create_table(  # type: ignore[override]
        self, identifier: Any, schema: Any, location: Any = None, **arguments: Any
    ) -> Table:
        if identifier in self.tables:
            raise TableAlreadyExistsError(identifier)
        staged = self._create_staged_table(identifier, schema, location, **arguments)
        self._write_metadata(staged.metadata, staged.io, staged.metadata_location)
        return self._remember(identifier, staged)

    def load_table(self, identifier: Any) -> Table:
        if identifier not in self.tables:
            raise NoSuchTableError(identifier)
        known = self.tables[identifier]
        return Table(
            known.name(), known.metadata, known.metadata_location, known.io, self, known.config
        )

    def commit_table(self, table: Table, requirements: Any, updates: Any) -> CommitTableResponse:
        if self._loses:
            self._loses = False
            raise CommitFailedException("somebody else was faster")
        identifier = ".".join(table.name())
        staged = self._update_and_stage_table(
            self.tables[identifier], table.name(), requirements, updates
        )
        self._write_metadata(staged.metadata, staged.io, staged.metadata_location)
        self._remember(identifier, staged)
        return CommitTableResponse(
            metadata=staged.metadata, metadata_location=staged.metadata_location
        )

    def _remember(self, identifier: str, staged: Table) -> Table:
        self.tables[identifier] = staged
        return staged


@pytest.fixture
def catalog() -> MemoryCatalog:
    """An empty catalog with the namespace `raw`."""
    return MemoryCatalog()
