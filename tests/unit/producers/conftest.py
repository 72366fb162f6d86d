"""What the tests of the producers share: a registry and a broker that live in the process."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

from millrace.cli import main
from millrace.contracts import Contract, load_contract, load_contracts
from millrace.settings import load

ROOT = Path(__file__).resolve().parents[3]
RunCli = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session")
def contracts() -> dict[str, Contract]:
    """The contracts of the shop."""
    return load_contracts(ROOT / "contracts")


@pytest.fixture(scope="session")
def visits() -> Contract:
    """A contract with a field of every type; its records are JSON."""
    return load_contract(ROOT / "tests" / "data" / "contracts" / "visits.yaml")


@pytest.fixture(scope="session")
def registry(contracts: dict[str, Contract]) -> SchemaRegistryClient:
    """The client library's own mock registry, with the shop's contracts applied."""
    client = SchemaRegistryClient.new_client({"url": f"mock://{uuid.uuid4()}"})
    for contract in contracts.values():
        client.register_schema(contract.subject, Schema(json.dumps(contract.avro_schema()), "AVRO"))
    return client


@pytest.fixture
def cli(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[RunCli]:
    """Run the command line in an empty state folder; gives exit code, standard output and error.

    The services' ports are closed ones. Paths of the test's folder are shown as `.`.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MILLRACE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MILLRACE_KAFKA__PORT", "9")
    monkeypatch.setenv("MILLRACE_REGISTRY__PORT", "9")

    def run(*arguments: str) -> tuple[int, str, str]:
        load.cache_clear()
        monkeypatch.setattr(sys, "argv", ["millrace", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        code = left.value.code
        return int(code or 0), said.out, said.err.replace(str(tmp_path), ".")

    yield run
    load.cache_clear()
