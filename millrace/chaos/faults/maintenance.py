"""Who else works on the lake while landing runs: compaction, expiry, and the marts' build."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from millrace.chaos.evidence import Witness
from millrace.chaos.fault import Fault
from millrace.chaos.triggers import until
from millrace.contracts.names import QUARANTINE_TABLE
from millrace.environment import cluster_environment
from millrace.errors import MillraceError
from millrace.lake.offsets import recorded

if TYPE_CHECKING:
    from millrace.chaos.processes import Container
    from millrace.chaos.world import World

#: As many small files of one day are worth a compaction.
FILES = 6
COMMAND_S = 900.0
#: Half a year of a shop of this size is built in a minute and a half.
SAMPLE = ("--customers", "60", "--products", "30", "--locations", "5", "--orders", "300")
#: Folders of the bucket.
MARTS = ("marts", "analytics")
#: No snapshot is kept for its youth: expiry takes all that nobody needs, while landing commits.
AT_ONCE = {"MILLRACE_MAINTENANCE__LONGEST_JOB_HOURS": "0"}


class MaintenanceWhileLanding(Fault):
    """Files put together and snapshots expired under the stream; then its driver has to start."""

    name = "maintenance-while-landing"
    title = "compaction and expiry while landing runs, then a killed driver"
    needs = (
        ("replaced", "files:"),
        ("absent", "snapshot:"),
        ("moved", "offsets:"),
        ("ended", "process:driver"),
        ("replaced", "process:driver"),
    )

    def __init__(self) -> None:
        self._killed: Container | None = None

    def strike(self, world: World, witness: Witness) -> None:
        """Maintain the tables that are landed into, with no regard for youth."""
        table = world.table
        until(f"{FILES} files of {table}", lambda: len(_files(world, table)) >= FILES)
        files, landed = _files(world, table), _landed(world, table)
        first = world.lake.load(table).metadata.snapshots[0].snapshot_id
        tables = (*(each.raw_table for each in world.contracts), QUARANTINE_TABLE)
        named = [word for each in tables for word in ("--table", each)]
        _run(world, ["maintain", *named, "--only", "manifests,compact,expire"], AT_ONCE)
        after = _files(world, table)
        witness.see("replaced", f"files:{table}", f"{len(files)} files", left(files, after))
        there = world.lake.has_snapshot(table, first)
        witness.see("absent", f"snapshot:{table}", str(first), str(first) if there else None)
        witness.see("moved", f"offsets:{table}", str(landed), str(_landed(world, table)))
        self._killed = driver = world.landing.driver()
        witness.strike()
        driver.kill()
        until("the end of the driver", lambda: not driver.is_alive, 30.0)
        witness.see("ended", "process:driver", str(driver), None)

    def afterwards(self, world: World, witness: Witness) -> None:
        """The next driver has found where to go on."""
        other = world.landing.driver()
        witness.see("replaced", "process:driver", str(self._killed), str(other))


class StoreKilledInBuild(Fault):
    """The marts are built while landing runs, and their store dies as they are written."""

    name = "objectstore-killed-in-dbt-build"
    title = "processed tables and marts built while landing runs, the object store killed in it"
    needs = (
        ("present", "object:marts"),
        ("replaced", "process:objectstore"),
        ("moved", "offsets:"),
    )

    def prepare(self, world: World) -> None:
        """Land a small sample of the shop and build what the marts are made of."""
        _run(world, ["generate-data", *SAMPLE])
        _run(world, ["publish-sample"])
        _run(world, ["landing", "wait", "--timeout", "300"])
        job = world.settings.root / "spark_jobs" / "batch" / "build_processed.py"
        _succeed(world, [str(world.settings.root / "scripts" / "spark-submit"), str(job)])

    def strike(self, world: World, witness: Witness) -> None:
        """Build; kill the store when the first mart appears in it; have the build succeed."""
        folder = world.settings.home / "data" / "objectstore" / world.settings.objectstore.bucket
        landed, before = _landed(world, world.table), _objects(folder)
        build = _start(world, [_program(world), "dbt", "build"])
        new = until("an object of a mart", lambda: _marts(_objects(folder) - before), COMMAND_S)
        witness.see("present", "object:marts", None, str(new))
        killed = world.services.kill("objectstore")
        witness.strike()
        restarted = world.services.wait_healthy("objectstore", killed)
        witness.see("replaced", "process:objectstore", str(killed), str(restarted))
        if code := _code(build):
            world.landing.hands.append("dbt build again, as the DAG's retry does")
            again = _code(_start(world, [_program(world), "dbt", "build"]))
            witness.see("replaced", "build:marts", f"exit {code}", None if again else "exit 0")
        else:
            witness.see("present", "build:marts", None, f"exit {code}")
        after = _landed(world, world.table)
        witness.see("moved", f"offsets:{world.table}", str(landed), str(after))


def left(before: set[str], after: set[str]) -> str | None:
    """How many of the files are there still; None where all are, so that none was replaced."""
    return None if before <= after else f"{len(before & after)} of them left"


def _program(world: World) -> str:
    return str(world.settings.root / "bin" / "millrace")


def _run(world: World, arguments: list[str], environment: dict[str, str] | None = None) -> None:
    """A command of Millrace's on the cluster, which has to succeed."""
    _succeed(world, [_program(world), *arguments], environment)


def _succeed(world: World, command: list[str], environment: dict[str, str] | None = None) -> None:
    if code := _code(_start(world, command, environment)):
        words = " ".join(command[:3])
        raise MillraceError(words, f"ended with {code}", f"tail {_log(world)}")


def _start(
    world: World, command: list[str], environment: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    variables = {**os.environ, **cluster_environment(world.settings), **(environment or {})}
    with _log(world).open("a") as log:
        log.write(f"$ {' '.join(command)}\n")
        log.flush()
        return subprocess.Popen(
            command, env=variables, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )


def _log(world: World) -> Path:
    """What the commands said."""
    return world.settings.home / "logs" / "chaos-commands.log"


def _code(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(COMMAND_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _files(world: World, table: str) -> set[str]:
    """The live data files."""
    return {task.file.file_path for task in world.lake.load(table).scan().plan_files()}


def _landed(world: World, table: str) -> int:
    """How many positions of its topic the table says it has landed."""
    known = recorded(world.lake.load(table)) or {}
    return sum(sum(each.ends.values()) for each in known.values())


def _objects(folder: Path) -> set[str]:
    """Objects of the bucket, as the store keeps them: one folder each."""
    return {str(path.parent.relative_to(folder)) for path in folder.rglob("xl.meta")}


def _marts(objects: set[str]) -> str | None:
    """One of the tables that dbt makes."""
    return next((each for each in sorted(objects) if each.startswith(MARTS)), None)


FAULTS = (MaintenanceWhileLanding, StoreKilledInBuild)
