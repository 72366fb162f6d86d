"""An archive of the classes that Spark loads, which Java maps in place of reading jars.

It is made by a run that ends (`-XX:ArchiveClassesAtExit`), on top of the archive of its own
classes that Java came with. It holds for one build of Java and for these jars at the head of the
class path; Java checks that at each start and reads jars where it does not hold.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from millrace.dist.errors import LONGEST, BuildError
from millrace.errors import MillraceError

ARCHIVE = "spark.jsa"
#: Java's archive of its own classes. PyPI's runtime comes without one.
OWN = "lib/server/classes.jsa"
#: Spark's home in the lake's environment.
PYSPARK = "lib/python3.11/site-packages/pyspark"
ROOT = Path(__file__).resolve().parent.parent.parent
JOB = ROOT / "spark_jobs" / "load_classes.py"
#: The options of every Java that starts Spark, and what keeps this one small.
OPTIONS = (
    f"@{ROOT / 'config' / 'spark' / 'java-options'}",
    *("-Xmx768m", "-XX:TieredStopAtLevel=1"),
    # A line for each of the classes that can not be kept.
    *("-Xlog:disable", "-Xlog:all=error"),
)


def can_be_kept(java: Path) -> bool:
    """Whether this runtime can make an archive."""
    return (java / OWN).is_file()


def build_of(java: Path | None) -> str:
    """What tells the build of a runtime from another, for which an archive does not hold.

    One word for every runtime that can not make one; None is that of PyPI.
    """
    if java is None or not can_be_kept(java):
        return "none"
    own = (java / OWN).resolve()
    state = own.stat()
    return f"{own} {state.st_size} {state.st_mtime_ns}"


def command(java: Path, jars: Path, folder: Path) -> Sequence[str]:
    """The run that leaves the archive in a folder."""
    return (
        *(str(java / "bin" / "java"), f"-XX:ArchiveClassesAtExit={folder / ARCHIVE}", *OPTIONS),
        *("-cp", f"{jars}/*", "org.apache.spark.deploy.SparkSubmit"),
        *("--master", "local[1]", str(JOB)),
    )


def failure(unit: str, program: str, tail: Sequence[str], log: Path) -> MillraceError:
    """The error of a run that left no archive.

    Its output is full of services that it does not reach, on purpose: no reason is read from it.
    """
    said = tail[-1][:LONGEST] if tail else "nothing"
    return BuildError(
        unit,
        f"{program} left no archive of Spark's classes, and said last: {said}",
        f"tail -n 60 {shlex.quote(str(log))}",
    )


def bring_to_disk(folder: Path) -> None:
    """Wait for the disk: Java crashes at an archive that a power cut left half written."""
    with (folder / ARCHIVE).open("rb") as file:
        os.fsync(file.fileno())


def environment(lake: Path, folder: Path) -> dict[str, str]:
    """Spark of the lake's environment, without a configuration of the user's."""
    return {
        "SPARK_HOME": str(lake / PYSPARK),
        "SPARK_CONF_DIR": str(folder),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": str(lake / "bin" / "python"),
        "PYSPARK_DRIVER_PYTHON": str(lake / "bin" / "python"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
