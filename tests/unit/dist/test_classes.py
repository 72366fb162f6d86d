"""The archive of Spark's classes: made where Java can, and its place on the class path harmless."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from millrace.dist import cache
from millrace.dist.units import UNITS
from millrace.dist.workshop import Paths
from millrace.settings import load

ROOT = Path(__file__).resolve().parents[3]
Repository = Any  # of conftest.py
#: Added to a Java that tells its version: at its end it writes the archive that it is told to.
WRITES = """
for word do
    case $word in
        -XX:ArchiveClassesAtExit=*)
            echo "127.0.0.1:1: Connection refused"
            [ -z "$FAKE_END" ] || exit "$FAKE_END"
            echo "$SPARK_HOME $PYSPARK_DRIVER_PYTHON $*" >"${word#*=}"
            ;;
    esac
done
"""


@pytest.fixture
def java(repository: Repository, java_home: Callable[..., Path]) -> Path:
    """A home of such a Java with an archive of its own, beside complete units of Spark and lake."""
    paths = Paths(repository.root / "distribution", repository.units.parent)
    for name, inside in (("spark", ["jars"]), ("lake", ["bin/dbt", "bin/python"])):
        folder = paths.folder(UNITS[name])
        for each in (*inside, "lib/python3.11/site-packages/pyspark"):
            (folder / each).mkdir(parents=True)
        cache.write_stamp(folder, 1)
    home = java_home(repository.root / "java", "17.0.15")
    with (home / "bin" / "java").open("a") as script:
        script.write(WRITES)
    own = home / "lib" / "server" / "classes.jsa"
    own.parent.mkdir(parents=True)
    own.touch()
    return home


@pytest.fixture
def archive(repository: Repository) -> Path:
    return Path(repository.links / "spark-classes" / "spark.jsa")


def test_the_archive_is_made_of_the_distributions_own_spark(
    repository: Repository, java: Path, archive: Path
) -> None:
    users = {"SPARK_HOME": "/else", "PYSPARK_DRIVER_PYTHON": "jupyter"}
    done = repository.run("spark-classes", MILLRACE_JAVA17_HOME=str(java), **users)
    assert (done.returncode, done.stderr) == (0, "")
    jars = (repository.links / "spark").resolve() / "jars"
    assert f" -cp {jars}/* " in archive.read_text()
    lake = (repository.links / "lake").resolve()
    home = f"{lake}/lib/python3.11/site-packages/pyspark"
    assert archive.read_text().startswith(f"{home} {lake}/bin/python ")
    again = repository.run("spark-classes", MILLRACE_JAVA17_HOME=str(java))
    assert "all units are complete" in again.stdout


def test_each_build_of_java_has_its_archive(
    repository: Repository, java: Path, archive: Path
) -> None:
    """One that can not make any leaves none, and an update of Java is another build."""
    own = java / "lib" / "server" / "classes.jsa"
    own.rename(own.with_suffix(".away"))
    assert repository.run("spark-classes", MILLRACE_JAVA17_HOME=str(java)).returncode == 0
    assert not archive.exists()
    own.with_suffix(".away").rename(own)
    made = set()
    for second in (1, 2):
        os.utime(own, (second, second))
        done = repository.run("spark-classes", "--offline", MILLRACE_JAVA17_HOME=str(java))
        assert (done.returncode, done.stderr) == (0, "")
        assert archive.is_file()
        made.add(archive.resolve())
    assert len(made) == 2


@pytest.mark.parametrize("end", ["0", "137"])
def test_a_run_that_leaves_no_archive_is_no_broken_network(
    repository: Repository, java: Path, archive: Path, end: str
) -> None:
    done = repository.run("spark-classes", MILLRACE_JAVA17_HOME=str(java), FAKE_END=end)
    log = repository.units.parent / "log" / "spark-classes.log"
    assert (done.returncode, done.stderr) == (
        1,
        "error: spark-classes: java left no archive of Spark's classes, and said last:"
        f" 127.0.0.1:1: Connection refused\n  to mend it: tail -n 60 {log}\n",
    )
    assert not archive.exists()
    assert repository.run("spark-classes", MILLRACE_JAVA17_HOME=str(java)).returncode == 0
    assert archive.is_file()


def test_no_jar_of_sparks_hides_a_file_of_ours() -> None:
    """With the archive the jars stand before Spark's and Hadoop's configuration."""
    jars = sorted((load().dist / "spark" / "jars").glob("*.jar"))
    folders = [ROOT / "config" / name for name in ("hadoop", "spark")]
    ours = {file.name for folder in folders for file in folder.iterdir()}
    assert jars
    assert ours >= {"core-site.xml", "hdfs-site.xml", "yarn-site.xml", "log4j2.properties"}
    found = {}
    for jar in jars:
        with zipfile.ZipFile(jar) as packed:
            found[jar.name] = ours & set(packed.namelist())
    assert not {name: hidden for name, hidden in found.items() if hidden}
