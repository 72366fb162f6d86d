"""An archive of the classes that Spark loads, which Java maps in place of reading jars.

It is made by a run that ends (`-XX:ArchiveClassesAtExit`), on top of the archive of its own
classes that Java came with. It holds for one build of Java and for these jars at the head of the
class path; Java checks that at each start and reads jars where it does not hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

ARCHIVE = "spark.jsa"
#: Java's archive of its own classes. PyPI's runtime comes without one.
OWN = "lib/server/classes.jsa"
#: Spark's home in the lake's environment.
PYSPARK = "lib/python3.11/site-packages/pyspark"
ROOT = Path(__file__).resolve().parent.parent.parent
JOB = ROOT / "spark_jobs" / "load_classes.py"
#: The collector decides whether an archive fits: it is that of the jobs, in Spark's options.
OPTIONS = (
    f"@{ROOT / 'config' / 'spark' / 'java-options'}",
    *("-Xmx768m", "-XX:TieredStopAtLevel=1"),
    # A line for each of the classes that can not be kept.
    *("-Xlog:disable", "-Xlog:all=error"),
)


def can_be_kept(java: Path) -> bool:
    """Whether this runtime can make an archive."""
    return (java / OWN).is_file()


def command(java: Path, jars: Path, folder: Path) -> Sequence[str]:
    """The run that leaves the archive in a folder."""
    return (
        *(str(java / "bin" / "java"), f"-XX:ArchiveClassesAtExit={folder / ARCHIVE}", *OPTIONS),
        *("-cp", f"{jars}/*", "org.apache.spark.deploy.SparkSubmit"),
        *("--master", "local[1]", str(JOB)),
    )


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
