"""The proof on all that the tests before have left, and the proof that the proof sees."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from millrace.contracts.names import QUARANTINE_TABLE
from millrace.lake import LakeCatalog, catalog
from millrace.sabotage.grounds import NAMESPACE, lake_grounds
from millrace.settings import Settings
from millrace_producers.ledger import summarise
from tests.e2e.paste import paste

ROOT = Path(__file__).resolve().parents[2]
DATASET = "customers"
#: Processor seconds of both commands together, which a busy machine hardly changes: 85 are usual,
#: a minute and a half on two quiet cores, most of it Spark and the decoding of the orders.
BUDGET_CPU_S = 150.0
Eventually = Callable[[Callable[[], bool], float, str], None]


@pytest.fixture(scope="module")
def landed(cluster: Settings, millrace: Any) -> Settings:
    """The demo's data is landed; where this file runs alone, its sample is published here."""
    millrace("landing", "start")
    if DATASET not in summarise(cluster.ledger):
        millrace("generate-data")
        millrace("publish-sample")
    millrace("landing", "wait", "--timeout", "300")
    return cluster


def processor_s() -> float:
    """Of all processes that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@dataclass(frozen=True)
class Proofs:
    """What the README's `make verify` and `millrace sabotage` printed, and processor seconds."""

    verified: str
    sabotaged: str
    processor_s: float


@pytest.fixture(scope="module")
def proofs(landed: Settings, millrace: Any) -> Proofs:
    """Both beside each other: the one only reads, the other damages copies of its own."""
    before = processor_s()
    with ThreadPoolExecutor(1) as beside:
        verified = beside.submit(paste, "make verify")
        sabotaged = millrace("sabotage", "--dataset", DATASET).stdout
        return Proofs(verified.result(), sabotaged, processor_s() - before)


def users_tables(lake: LakeCatalog) -> dict[str, tuple[str, dict[str, tuple[int, int]]]]:
    """Metadata file, and every file with its length and time, of the tables that are copied."""
    found = {}
    for name in (f"raw.{DATASET}", QUARANTINE_TABLE):
        table = lake.load_table(name)
        store = table.io.get_fs("hdfs")  # type: ignore[attr-defined]
        files = store.find(table.location(), detail=True)
        entries = {path: (each["size"], each["modificationTime"]) for path, each in files.items()}
        found[name] = (table.metadata_location, entries)
    return found


def nothing_is_left(settings: Settings) -> bool:
    lake = catalog(settings)
    grounds = lake_grounds(lake, settings.home)
    store = lake.load_table(QUARANTINE_TABLE).io.get_fs("hdfs")  # type: ignore[attr-defined]
    gone = not store.exists(grounds.folders["hdfs"]) and not grounds.scratch.exists()
    return gone and (NAMESPACE,) not in lake.list_namespaces()


def test_verify_finds_nothing_and_writes_a_receipt(proofs: Proofs) -> None:
    place = proofs.verified.rsplit("receipt: ", 1)[1].strip()
    receipt = json.loads(Path(place).read_text())
    assert receipt["ok"] and receipt["findings"] == []
    assert set(receipt["counts"]) >= {"customers", "locations", "orders", "products"}
    judged = {check["law"] for check in receipt["checks"]}
    assert judged == {"L1", "L2", "L3", "L4", "L5", "L6", "L7"}
    assert receipt["counts"][DATASET]["acknowledged"] > 1_000


def test_every_damage_is_caught(proofs: Proofs) -> None:
    assert "the undamaged copy passes" in proofs.sabotaged
    assert proofs.sabotaged.splitlines()[-1].startswith("12 of 12 caught")


def test_both_together_take_little(proofs: Proofs) -> None:
    assert proofs.processor_s < BUDGET_CPU_S


def test_sabotage_leaves_the_users_tables_and_nothing_of_its_own(
    landed: Settings, millrace: Any
) -> None:
    lake = catalog(landed)
    before = users_tables(lake)
    ledger = {file.name: file.stat().st_size for file in landed.ledger.iterdir()}
    millrace("sabotage", "--dataset", DATASET, "--only", "delete", "--only", "remove-file")
    assert users_tables(lake) == before
    assert {file.name: file.stat().st_size for file in landed.ledger.iterdir()} == ledger
    assert nothing_is_left(landed)


def test_a_killed_sabotage_is_cleaned_up_by_the_next(
    landed: Settings, millrace: Any, eventually: Eventually
) -> None:
    lake = catalog(landed)
    killed = subprocess.Popen(
        [str(ROOT / "bin" / "millrace"), "sabotage", "--dataset", DATASET],
        cwd=ROOT,
        env=dict(os.environ),
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    name = (NAMESPACE, DATASET)

    def is_copied() -> bool:
        return (NAMESPACE,) in lake.list_namespaces() and name in lake.list_tables(NAMESPACE)

    try:
        eventually(is_copied, 60.0, "the copy is made")
    finally:
        os.killpg(killed.pid, signal.SIGKILL)
        killed.wait()
    assert is_copied()
    printed = millrace("sabotage", "--dataset", DATASET, "--only", "duplicate").stdout
    assert printed.splitlines()[-1].startswith("1 of 1 caught")
    assert nothing_is_left(landed)
