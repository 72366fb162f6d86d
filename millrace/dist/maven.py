"""Ask Maven for the files of units: one run for all of them.

The poms in `distribution/maven` are modules of one project, so one JVM serves them all, two at a
time. Each module writes the list of its files in the local repository; its unit is assembled from
them while Maven goes on with the next.
"""

from __future__ import annotations

import os
import pwd
import re
import shlex
import subprocess
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from pathlib import Path

from millrace.dist.errors import MEGABYTE, BuildError, MissingToolError
from millrace.dist.process import Runner, find_tool
from millrace.dist.progress import Progress

#: Maven says that it wrote a list before the list is closed: only the start of the module's next
#: goal tells that it is whole.
WROTE = re.compile(r":properties \(\S+\) @ (\S+)")
DOWNLOADING = re.compile(r"Downloading from \S+ \S*/([^/ ]+)$")
DOWNLOADED = re.compile(r"Downloaded from \S+ \S+ \(([\d.]+) ([kMG]?B)\b")
#: The machine's trusted certificate authorities, for Java.
AUTHORITIES = Path("/etc/ssl/certs/java/cacerts")
#: The oldest that the plugins in the poms start on.
OLDEST = (3, 6, 3)
VERSION = re.compile(r"Apache Maven (\d+)\.(\d+)\.(\d+)")
SECONDS = 60
UNITS = {"B": 1, "kB": 1_000, "MB": MEGABYTE, "GB": 1_000 * MEGABYTE}
REMEDY = "sudo apt-get install maven"


def find_maven() -> str:
    """The user's `mvn`."""
    return find_tool("mvn", "the Java services come through it", REMEDY)


def check_version(maven: str, environment: Mapping[str, str]) -> None:
    """Refuse a Maven that is too old; one that does not tell its version is tried.

    Raises:
        MissingToolError: it is too old.
    """
    try:
        told = subprocess.run(
            [maven, "--version"],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return
    match = VERSION.search(told)
    if match and tuple(int(part) for part in match.groups()) < OLDEST:
        wanted = ".".join(str(part) for part in OLDEST)
        raise MissingToolError(maven, f"is {match[0]}, and {wanted} or newer is needed", REMEDY)


def _java_environment(java_home: Path | None) -> dict[str, str]:
    """What Maven's Java has to be told beyond the user's own settings.

    Java takes a user's home from the password file, which may differ from HOME; and a Java that
    did not come with the machine does not know the authorities that the machine trusts.
    """
    environment, options = {}, []
    home = str(Path.home())
    try:
        known = pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        known = ""
    if home != known and " " not in home:  # Maven's launcher splits its options at spaces.
        options.append(f"-Duser.home={home}")
    if java_home:
        environment["JAVA_HOME"] = str(java_home)
        if AUTHORITIES.exists():
            options.append(f"-Djavax.net.ssl.trustStore={AUTHORITIES}")
    if options:
        environment["MAVEN_OPTS"] = " ".join([os.environ.get("MAVEN_OPTS", ""), *options]).strip()
    return environment


class Delivery:
    """One run of Maven for several units."""

    def __init__(self, units: Iterable[str], project: Path, lists: Path) -> None:
        self.units = tuple(units)
        self.project = project
        self.lists = lists
        self.downloaded = 0
        self._files: dict[str, Future[list[Path]]] = {unit: Future() for unit in self.units}

    def files(self, unit: str) -> list[Path]:
        """The files of one unit; waits until Maven has them.

        Raises:
            MillraceError: Maven failed before.
        """
        return self._files[unit].result()

    def run(self, runner: Runner, progress: Progress, java_home: Path | None) -> None:
        """Fetch the files of all units; what fails, fails for the units not yet delivered."""
        try:
            self.lists.mkdir(parents=True, exist_ok=True)
            maven, environment = find_maven(), _java_environment(java_home)
            check_version(maven, environment)
            command = [
                maven,
                "--batch-mode",
                "--fail-at-end",
                "--threads=2",
                f"--file={self.project}",
                f"--projects={','.join(f':{unit}' for unit in self.units)}",
                f"-Dmillrace.lists={self.lists}",
                "dependency:build-classpath",
                "dependency:properties",
            ]

            def follow(line: str) -> None:
                self._follow(line, progress)

            with progress.working("maven", "starting"):
                runner.run("maven", command, follow, environment=environment)
            error: BaseException = BuildError(
                "maven",
                "it wrote no list of files",
                f"mvn -f {shlex.quote(str(self.project))} validate",
            )
        except BaseException as failure:  # Those who wait must hear of every end.
            error = failure
        for future in self._files.values():
            if not future.done():
                future.set_exception(error)

    def _follow(self, line: str, progress: Progress) -> None:
        if wrote := WROTE.search(line):
            unit = wrote[1]
            if unit in self._files:
                listed = (self.lists / f"{unit}.txt").read_text().strip()
                self._files[unit].set_result([Path(name) for name in listed.split(":") if name])
        elif done := DOWNLOADED.search(line):
            self.downloaded += round(float(done[1]) * UNITS[done[2]])
        elif begun := DOWNLOADING.search(line):
            progress.doing("maven", f"{self.downloaded / MEGABYTE:.0f} MB so far, now {begun[1]}")
