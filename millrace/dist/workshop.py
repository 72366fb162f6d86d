"""Make missing units: each in its folder, under its lock, several side by side."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from millrace.dist import archives, cache, checksums, classes, golang
from millrace.dist.environments import Pip, find_python
from millrace.dist.errors import MEGABYTE, disk_errors, disk_full
from millrace.dist.golang import Go
from millrace.dist.java_for_spark import leave_vector_module_out
from millrace.dist.maven import Delivery, find_maven
from millrace.dist.process import Runner
from millrace.dist.progress import Progress
from millrace.dist.units import GO, UNITS, Unit

ASSEMBLE: dict[str, Callable[[Sequence[Path], Path], None]] = {
    "connect": archives.kafka,
    "hadoop": archives.hadoop,
    "kafka": archives.kafka,
    "metastore": archives.metastore,
    "postgres": archives.postgres,
    "registry": archives.registry,
    "spark": archives.kafka,
    "trino": archives.trino,
}


@dataclass(frozen=True)
class Paths:
    """Where a set-up reads and writes; `java` tells the build of the machine's own Java 17."""

    distribution: Path
    cache: Path
    java: str = ""

    @property
    def units(self) -> Path:
        """The units in the cache."""
        return self.cache / "units"

    def has_inputs(self, unit: Unit) -> bool:
        """Whether everything is there that decides a unit's content."""
        return all((self.distribution / name).is_file() for name in unit.inputs)

    def folder(self, unit: Unit) -> Path:
        """A unit's folder in the cache."""
        java = self.java if unit.kind == "classes" else ""
        return unit.folder(self.units, self.distribution, java)

    def complete(self, unit: Unit) -> bool:
        """True when a unit was finished, and the interpreter of an environment is still there."""
        folder = self.folder(unit)
        probes = [unit.probe, *(["bin/python"] if unit.kind == "python" else [])]
        there = all((folder / probe).exists() for probe in probes)
        return there and cache.read_stamp(folder) is not None


class Workshop:
    """Makes units and tells each one's folder to `finished`."""

    def __init__(
        self,
        paths: Paths,
        progress: Progress,
        finished: Callable[[Unit], None],
        *,
        update_checksums: bool = False,
    ) -> None:
        self.paths = paths
        self.progress = progress
        self.finished = finished
        self.update_checksums = update_checksums
        self.runner = Runner(paths.cache / "log")
        self.pip = Pip(self.runner, progress)
        self.go = Go(self.runner, progress, self._find_go)
        self.deliveries: dict[str, Delivery] = {}
        self.java_home: Path | None = None
        self.java17 = Path()
        self._made: dict[str, Future[None]] = {}

    @property
    def downloaded(self) -> int:
        """Bytes that all clients downloaded, as they tell them."""
        of_maven = sum(delivery.downloaded for delivery in set(self.deliveries.values()))
        return self.pip.downloaded + self.go.downloaded + of_maven

    def check(self, missing: Sequence[Unit]) -> None:
        """Refuse early what would fail late: a missing tool, a disk without room."""
        kinds = {unit.kind for unit in missing}
        if kinds & {"python", "java"}:
            find_python()
        if "maven" in kinds:
            find_maven()
        with disk_errors(self.paths.units):
            self.paths.units.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self.paths.units).free
        needed = sum(unit.megabytes for unit in missing) * MEGABYTE
        if free < needed:
            raise disk_full(self.paths.units, needed)

    def make(self, missing: Sequence[Unit]) -> None:
        """Make units; the first failure stops the others, and what has arrived is kept."""
        from_maven = [unit for unit in missing if unit.kind == "maven"]
        lanes: list[Callable[[], None]] = []
        # The Go compiler fills the machine by itself: its programs come one after the other.
        from_go = [unit for unit in missing if unit.kind == "go"]
        if from_go:
            lanes.append(partial(self._one_by_one, from_go))
        alone = {"python", "classes"}
        lanes += [partial(self.make_one, unit) for unit in missing if unit.kind in alone]
        with ThreadPoolExecutor(len(lanes) + len(from_maven) + 1) as pool:
            self._made = {unit.name: Future() for unit in missing}
            tasks = [pool.submit(lane) for lane in lanes]
            if from_maven:
                tasks.append(pool.submit(self._deliver, self._deliveries(from_maven)))
                tasks += [pool.submit(self.make_one, unit) for unit in from_maven]
            try:
                done, _ = wait(tasks, return_when=FIRST_EXCEPTION)
            except BaseException:
                self._give_up(KeyboardInterrupt())
                raise
            failures = [task.exception() for task in tasks if task in done and task.exception()]
            if failures and failures[0] is not None:
                self._give_up(failures[0])
                raise failures[0]
            for delivery in set(self.deliveries.values()):
                shutil.rmtree(delivery.lists, ignore_errors=True)

    def make_one(self, unit: Unit) -> None:
        """Make one unit, unless another run makes it while this one waits for its lock."""
        for need in unit.needs:
            if need in self._made:
                self._made[need].result()
        files = self._delivered(unit) if unit.kind == "maven" else []
        folder = self.paths.folder(unit)

        def waiting() -> None:
            self.progress.say(unit.name, "waiting: another run is making it")

        with (
            self.progress.working(unit.name, "starting"),
            disk_errors(folder),
            cache.locked(folder, waiting) as lock,
        ):
            if not self.paths.complete(unit):
                began = time.monotonic()
                cache.remove(folder)
                folder.mkdir(parents=True)
                self._fill(unit, folder, files, [lock])
                stamp = cache.write_stamp(folder, time.monotonic() - began)
                size = stamp.size / MEGABYTE
                self.progress.say(unit.name, f"ready: {size:.0f} MB in {stamp.seconds:.1f} s")
        self.finished(unit)
        made = self._made.get(unit.name)
        if made and not made.done():
            made.set_result(None)

    def _deliveries(self, units: Sequence[Unit]) -> list[Delivery]:
        """What Maven is asked for: a run a project."""
        # A folder a run: two runs of one user would read each other's lists.
        lists = self.paths.cache / "lists" / str(time.time_ns())
        found = []
        for project in dict.fromkeys(unit.project for unit in units):
            names = [unit.name for unit in units if unit.project == project]
            delivery = Delivery(names, self.paths.distribution / project, lists)
            self.deliveries.update(dict.fromkeys(names, delivery))
            found.append(delivery)
        return found

    def _deliver(self, deliveries: Sequence[Delivery]) -> None:
        """One run after the other: they share a local repository."""
        for delivery in deliveries:
            delivery.run(self.runner, self.progress, self.java_home)

    def _one_by_one(self, units: Iterable[Unit]) -> None:
        for unit in units:
            self.make_one(unit)

    def _delivered(self, unit: Unit) -> list[Path]:
        """A Maven unit's files, compared with their checksums."""
        files = self.deliveries[unit.name].files(unit.name)
        listing = self.paths.distribution / "checksums" / f"{unit.name}{checksums.SUFFIX}"
        with self.progress.working(unit.name, "comparing checksums"):
            if self.update_checksums:
                checksums.write(listing, files)
            else:
                checksums.verify(listing, files)
        return files

    def _fill(self, unit: Unit, folder: Path, files: list[Path], keep: Sequence[int]) -> None:
        distribution = self.paths.distribution
        if unit.kind == "python":
            self.pip.environment(unit.name, distribution / unit.inputs[0], folder, keep)
        elif unit.kind in ("java", "program"):
            self.pip.program(unit.name, distribution / unit.inputs[0], folder, keep)
            if unit.name == "java17":
                leave_vector_module_out(folder / unit.inner)
        elif unit.kind == "go":
            module = distribution / "go" / unit.name
            self.go.build(unit.name, module, folder / unit.probe, keep, unit.version_in)
        elif unit.kind == "classes":
            self._keep_classes(unit, folder, keep)
        else:
            self.progress.doing(unit.name, "assembling")
            ASSEMBLE[unit.name](files, folder)
            if unit.name == "spark":
                jars = self.paths.folder(UNITS["lake"]) / classes.PYSPARK / "jars"
                archives.place(sorted(jars.glob("*.jar")), folder / "jars")

    def _keep_classes(self, unit: Unit, folder: Path, keep: Sequence[int]) -> None:
        """Leave the unit empty where the machine's Java can not make it."""
        if not classes.can_be_kept(self.java17):
            return
        self.progress.doing(unit.name, "running what loads them")
        jars = self.paths.folder(UNITS["spark"]) / "jars"
        settings = classes.environment(self.paths.folder(UNITS["lake"]), folder)
        self.runner.run(
            unit.name,
            classes.command(self.java17, jars, folder),
            environment=settings,
            keep=keep,
            explain=classes.failure,
            leaves=folder / classes.ARCHIVE,
        )
        classes.bring_to_disk(folder)

    def _find_go(self, module: Path) -> str:
        """The machine's Go where a module accepts it, or PyPI's."""
        if go := golang.machine_go(golang.required(module)):
            return go
        self.make_one(GO)
        return str(self.paths.folder(GO) / GO.probe)

    def _give_up(self, reason: BaseException) -> None:
        """Stop all programs and wake those who wait for a unit."""
        self.runner.stop()
        for future in self._made.values():
            if not future.done():
                future.set_exception(reason)
