"""Bring a state folder's units up to the locks: find what is complete, make what is not, link."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from millrace.dist import cache, classes
from millrace.dist.errors import MEGABYTE, OfflineError, WrongJavaError, disk_errors
from millrace.dist.java import JAVA_17, JAVA_25, Runtimes
from millrace.dist.progress import Progress
from millrace.dist.units import GO, UNITS, Unit
from millrace.dist.workshop import Paths, Workshop

JAVA = {wanted.name: wanted for wanted in (JAVA_17, JAVA_25)}


@dataclass(frozen=True)
class Summary:
    """What a set-up did. Bytes."""

    seconds: float
    made: int
    downloaded: int
    installed: int

    def __str__(self) -> str:
        if not self.made:
            return f"all units are complete (0 MB downloaded, {self.seconds:.1f} s)"
        return (
            f"{self.made} units made in {self.seconds:.0f} s: "
            f"{self.downloaded / MEGABYTE:.0f} MB downloaded, "
            f"{self.installed / MEGABYTE:.0f} MB installed"
        )


class Installation:
    """The units of one state folder."""

    def __init__(self, paths: Paths, home: Path) -> None:
        self.links = home / "dist"
        self.runtimes = Runtimes(paths.cache / "java.json")
        self.paths = replace(paths, java=classes.build_of(self._own_java17()))

    def present(self, unit: Unit) -> Path | None:
        """The folder to link a unit to: a runtime of the machine, or a complete unit."""
        if unit.kind == "java" and (home := self.runtimes.find(JAVA[unit.name])):
            return home
        return self.paths.folder(unit) / unit.inner if self.paths.complete(unit) else None

    def run(
        self,
        units: list[Unit],
        progress: Progress,
        *,
        offline: bool = False,
        update_checksums: bool = False,
    ) -> Summary:
        """Link every unit, after making those that are missing.

        Raises:
            MillraceError: a unit can not be made.
        """
        with disk_errors(self.links):
            # The state folder is its owner's alone.
            self.links.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.links.mkdir(exist_ok=True)
        missing = []
        for unit in units:
            if (target := self.present(unit)) is None or (
                update_checksums and unit.kind == "maven"
            ):
                missing.append(unit)
            else:
                self._link(unit, target)
        if not missing:
            return Summary(progress.elapsed, 0, 0, 0)
        names = ", ".join(unit.name for unit in missing)
        downloads = [unit.name for unit in missing if unit.kind != "classes"]
        if offline and downloads:
            raise OfflineError(
                ", ".join(downloads),
                "not in the cache, and --offline rules downloads out",
                "python3 -m millrace.dist",
            )
        progress.say("", f"to make: {names}")
        workshop = Workshop(self.paths, progress, self._finished, update_checksums=update_checksums)
        self._make(workshop, missing)
        self.prune(complete=False)
        size = cache.size_of(*(self.paths.folder(unit) for unit in missing))
        return Summary(progress.elapsed, len(missing), workshop.downloaded, size)

    def prune(self, *, complete: bool) -> list[str]:
        """Remove units of former locks; those that are complete only when asked to.

        Another clone, or a cluster that runs, may use a complete one; an incomplete one is what a
        run left behind that never came back to it.
        """
        # A build stage of an image has the inputs of its own units alone.
        known = [unit for unit in (*UNITS.values(), GO) if self.paths.has_inputs(unit)]
        wanted = {self.paths.folder(unit) for unit in known}
        folders = cache.leftovers(self.paths.units, wanted)
        old = [folder for folder in folders if complete or cache.read_stamp(folder) is None]
        return [folder.name for folder in old if cache.remove_unlocked(folder)]

    def _own_java17(self) -> Path | None:
        try:
            return self.runtimes.find(JAVA_17)
        except WrongJavaError:
            return None  # which the unit of this name says, where it is asked for

    def _make(self, workshop: Workshop, missing: list[Unit]) -> None:
        workshop.check(missing)
        for unit in missing:
            if unit.kind == "java":
                workshop.make_one(unit)
        workshop.java17 = java17 = self.links / "java17"
        if java17.exists() and not self.runtimes.on_path():
            workshop.java_home = java17
        workshop.make([unit for unit in missing if unit.kind != "java"])

    def _finished(self, unit: Unit) -> None:
        if unit.kind == "program":
            return
        target = self.paths.folder(unit) / unit.inner
        self._link(unit, target)

    def _link(self, unit: Unit, target: Path) -> None:
        with disk_errors(self.links):
            cache.link(target, self.links / unit.name)
