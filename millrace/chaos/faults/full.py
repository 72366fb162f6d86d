"""Full disks: a store that has no room for a table, and a ledger that has none for its lines."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from millrace.chaos.evidence import Witness
from millrace.chaos.fault import Fault
from millrace.chaos.faults.hdfs_admin import HdfsAdmin
from millrace.chaos.faults.held_file import folder_of, of_tier
from millrace.chaos.faults.small_disk import on_small_disk
from millrace.chaos.triggers import until
from millrace.environment import cluster_environment
from millrace_producers.ledger import read_run

if TYPE_CHECKING:
    from millrace.chaos.world import World

#: A ledger of this size ends within the records below: a line has 140 bytes.
LEDGER_KIB = 96
RECORDS = 3_000
#: Records a second: answers come between the intents, so the disk may fill with either.
RATE = 1_000
PRODUCER_S = 120


class HdfsFull(Fault):
    """The table's folder takes no byte more: neither data files nor metadata can be written."""

    name = "hdfs-full"
    title = "HDFS without room for the table (space quota), then with it again"
    needs = (("refused", "state:landing"), ("unmoved", "pointer:"), ("unmoved", "process:driver"))

    def strike(self, world: World, witness: Witness) -> None:
        """Leave no room, wait until landing says why it stands, make room."""
        contract, admin = of_tier(world, "hdfs"), HdfsAdmin(world.settings)
        table, folder = contract.raw_table, folder_of(world, contract)
        driver = world.landing.driver()
        admin.limit_space(folder, max(1, admin.used_bytes(folder)))
        said = until("landing that tells of the quota", lambda: _told(world))
        witness.see("refused", "state:landing", after=said)
        before = world.lake.pointer(table)
        again = until("another try of landing", lambda: _told(world, other_than=said))
        witness.see("refused", "state:landing", after=again)
        witness.see("unmoved", f"pointer:{table}", before, world.lake.pointer(table))
        witness.see("unmoved", "process:driver", driver.id, world.landing.driver().id)
        # The time to recover is that after there is room again.
        admin.lift_limit(folder)
        witness.strike()

    def clean(self, world: World) -> None:
        """Leave no limit behind."""
        HdfsAdmin(world.settings).lift_limit(folder_of(world, of_tier(world, "hdfs")))


def _told(world: World, other_than: str | None = None) -> str | None:
    """When and why landing says that it is refused for want of room."""
    state = world.landing.state()
    if state is None or "quota" not in state.detail.lower():
        return None
    line = next(each for each in state.detail.splitlines() if "quota" in each.lower())
    said = f"{state.at:.0f} {state.state}: {line.strip()[:200]}"
    return said if said != other_than else None


class LedgerDiskFull(Fault):
    """A producer's ledger lies on a disk of a few kilobytes: it stops before it sends unwritten."""

    name = "ledger-disk-full"
    title = "disk of a producer's ledger full (file system of a few KiB)"
    needs = (("refused", "exit:producer"), ("present", "ledger:producer"))

    def strike(self, world: World, witness: Witness) -> None:
        """Run a producer until its disk is full, and take what it wrote."""
        dataset = of_tier(world, "hdfs").dataset
        folder = world.settings.home / "chaos" / "small-disk"
        shutil.rmtree(folder, ignore_errors=True)
        copies = folder / "copies"
        copies.mkdir(parents=True)
        source = folder / "records.jsonl"
        source.write_text("".join(json.dumps(_record(n)) + "\n" for n in range(RECORDS)))
        before = set(world.load.ledger.iterdir())
        said = _produce(world, dataset, source, copies)
        witness.strike()
        witness.see("refused", "exit:producer", after=said)
        for copy in copies.iterdir():
            shutil.copy(copy, world.load.ledger)
        for file in sorted(set(world.load.ledger.iterdir()) - before):
            states = Counter(entry.state for entry in read_run(file))
            counts = ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
            witness.see("present", "ledger:producer", after=f"{file.name}: {counts}")


def _produce(world: World, dataset: str, source: Path, copies: Path) -> str | None:
    """What the producer said when it stopped; None where it did not stop because of the disk."""
    settings = world.settings
    program = str(settings.root / "bin" / "millrace")
    command = [program, "produce", dataset, "--from", str(source), "--rate", str(RATE)]
    done = subprocess.run(
        on_small_disk(command, settings.ledger, copies, LEDGER_KIB),
        env={**os.environ, **cluster_environment(settings)},
        capture_output=True,
        text=True,
        timeout=PRODUCER_S,
        check=False,
    )
    line = next((line for line in done.stderr.splitlines() if "error: ledger" in line), None)
    return f"exit {done.returncode}: {line}" if done.returncode == 1 and line else None


def _record(number: int) -> dict[str, object]:
    return {
        "event_id": f"full-{datetime.now(UTC):%Y%m%dT%H%M%S}-{number:06d}",
        "kind": "opened",
        "amount_cents": number,
        "note": "from a full disk",
        "happened_at": datetime.now(UTC).isoformat(),
    }


FAULTS = (HdfsFull, LedgerDiskFull)
