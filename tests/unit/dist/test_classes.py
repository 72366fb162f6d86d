"""The archive of Spark's classes: made where Java can, and its place on the class path harmless."""

from __future__ import annotations

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
    case $word in -XX:ArchiveClassesAtExit=*) echo "$SPARK_HOME $PYSPARK_DRIVER_PYTHON $*" >"${word#*=}" ;; esac
done
"""


@pytest.fixture
def java(repository: Repository, java_home: Callable[..., Path]) -> Path:
    """A home of such a Java, beside complete units of Spark and the lake."""
    paths = Paths(repository.root / "distribution", repository.units.parent)
    for name, inside in (("spark", ["jars"]), ("lake", ["bin/dbt", "bin/python"])):
        folder = paths.folder(UNITS[name])
        for each in (*inside, "lib/python3.11/site-packages/pyspark"):
            (folder / each).mkdir(parents=True)
        cache.write_stamp(folder, 1)
    home = java_home(repository.root / "java", "17.0.15")
    with (home / "bin" / "java").open("a") as script:
        script.write(WRITES)
    return home


@pytest.mark.parametrize("has_its_own", [True, False])
def test_classes_are_kept_where_java_has_kept_its_own(
    repository: Repository, java: Path, *, has_its_own: bool
) -> None:
    if has_its_own:
        (java / "lib" / "server").mkdir(parents=True)
        (java / "lib" / "server" / "classes.jsa").touch()
    users = {"SPARK_HOME": "/else", "PYSPARK_DRIVER_PYTHON": "jupyter"}
    done = repository.run("spark-classes", MILLRACE_JAVA17_HOME=str(java), **users)
    assert (done.returncode, done.stderr) == (0, "")
    archive = repository.links / "spark-classes" / "spark.jsa"
    assert archive.exists() == has_its_own
    if has_its_own:
        jars = (repository.links / "spark").resolve() / "jars"
        assert f" -cp {jars}/* " in archive.read_text()
        lake = (repository.links / "lake").resolve()
        home = f"{lake}/lib/python3.11/site-packages/pyspark"
        assert archive.read_text().startswith(f"{home} {lake}/bin/python ")
    again = repository.run("spark-classes", MILLRACE_JAVA17_HOME=str(java))
    assert "all units are complete" in again.stdout


def test_no_jar_of_sparks_hides_a_file_of_ours() -> None:
    """With the archive the jars stand before Spark's and Hadoop's configuration."""
    jars = sorted((load().dist / "spark" / "jars").glob("*.jar"))
    ours = {file.name for name in ("hadoop", "spark") for file in (ROOT / "config" / name).iterdir()}
    assert jars
    assert ours >= {"core-site.xml", "hdfs-site.xml", "yarn-site.xml", "log4j2.properties"}
    found = {}
    for jar in jars:
        with zipfile.ZipFile(jar) as packed:
            found[jar.name] = ours & set(packed.namelist())
    assert not {name: hidden for name, hidden in found.items() if hidden}
