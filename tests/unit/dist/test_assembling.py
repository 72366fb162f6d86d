"""Each unit is what its service expects to find, made from small files of the real shapes."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from millrace.dist import archives, golang
from millrace.dist.java import JAVA_17, JAVA_25, Runtimes
from millrace.dist.java_for_spark import leave_vector_module_out
from millrace.dist.units import UNITS

Repository = Any  # of conftest.py
Pack = Callable[..., bytes]
JavaHome = Callable[..., Path]


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_trino_keeps_the_listed_plugins_and_their_shared_jars(tmp_path: Path, tar: Pack) -> None:
    archive = tar(
        {
            "trino-server-1/lib/a.jar": b"a",
            # The data of a jar stands in its first plugin, which is one of those left out.
            "trino-server-1/plugin/cassandra/shared.jar": b"shared",
            "trino-server-1/plugin/hive/own.jar": b"own",
        },
        dict.fromkeys(
            (f"trino-server-1/plugin/{plugin}/shared.jar" for plugin in ("hive", "iceberg")),
            "trino-server-1/plugin/cassandra/shared.jar",
        ),
    )
    archives.trino([write(tmp_path / "trino.tar.gz", archive)], tmp_path / "unit")
    plugins = tmp_path / "unit" / "plugin"
    assert sorted(folder.name for folder in plugins.iterdir()) == ["hive", "iceberg"]
    shared = plugins / "iceberg" / "shared.jar"
    assert shared.read_bytes() == b"shared"
    assert shared.samefile(plugins / "hive" / "shared.jar")


def test_hadoop_has_its_web_pages_beside_its_jars(tmp_path: Path, jar: Pack) -> None:
    pages = {"webapps/hdfs/index.html": b"<html>", "org/Test.class": b"x"}
    files = [
        write(tmp_path / "hadoop-hdfs-3.5.0-tests.jar", jar(pages)),
        write(tmp_path / "hadoop-hdfs-3.5.0.jar", b"x"),
    ]
    archives.hadoop(files, tmp_path / "unit")
    found = [str(p.relative_to(tmp_path / "unit")) for p in (tmp_path / "unit").rglob("*.*")]
    assert sorted(found) == ["jars/hadoop-hdfs-3.5.0.jar", "webroot/webapps/hdfs/index.html"]


def test_the_metastore_holds_one_version_of_what_s3_brings(tmp_path: Path, tar: Pack) -> None:
    archive = tar(
        {
            "apache-hive/lib/netty-common-4.1.94.jar": b"old",
            "apache-hive/lib/postgresql-42.jar": b"driver",
            "apache-hive/scripts/metastore/upgrade/postgres/schema.sql": b"create",
        }
    )
    files = [
        write(tmp_path / "hive-bin.tar.gz", archive),
        write(tmp_path / "netty-common-4.1.126.jar", b"new"),
    ]
    archives.metastore(files, tmp_path / "unit")
    jars = sorted(file.name for file in (tmp_path / "unit" / "jars").iterdir())
    assert jars == ["netty-common-4.1.126.jar", "postgresql-42.jar"]
    assert sorted(path.name for path in (tmp_path / "unit").iterdir()) == ["jars", "scripts"]


def test_postgres_comes_out_of_the_archive_in_its_jar(tmp_path: Path, tar: Pack, jar: Pack) -> None:
    inner = tar({"bin/postgres": b"program", "share/x": b"x"}, mode="xz")
    outer = write(tmp_path / "binaries.jar", jar({"META-INF/x": b"", "postgres.txz": inner}))
    archives.postgres([outer], tmp_path / "unit")
    assert sorted(path.name for path in (tmp_path / "unit").iterdir()) == ["bin", "share"]
    assert os.access(tmp_path / "unit" / "bin" / "postgres", os.X_OK)


def test_sparks_jars_are_pysparks_and_those_of_maven(repository: Repository) -> None:
    wheel(
        repository.root / "wheels",
        "dbt",
        {"pyspark/jars/spark-core.jar": b"core", "dbt.py": b"def main(): print('dbt ran')"},
        "dbt = dbt:main",
    )
    lock(repository, "lake", "dbt")
    repository.deliver("spark", {"iceberg.jar": b"iceberg"})
    settings = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(repository.root / "wheels")}
    done = repository.run("spark", **settings)
    assert (done.returncode, done.stderr) == (0, "")
    jars = sorted(file.name for file in (repository.links / "spark" / "jars").iterdir())
    assert jars == ["iceberg.jar", "spark-core.jar"]
    assert (repository.links / "lake" / "bin" / "dbt").exists()


def test_a_package_with_another_hash_is_refused(repository: Repository) -> None:
    wheel(repository.root / "wheels", "airflow", {"airflow.py": b""}, "airflow = airflow:main")
    listed = lock(repository, "airflow", "airflow")
    listed.write_text(re.sub("sha256:.{8}", "sha256:00000000", listed.read_text()))
    settings = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(repository.root / "wheels")}
    done = repository.run("airflow", **settings)
    assert done.returncode == 1
    assert "airflow: python received a file that is not the pinned one" in done.stderr
    assert not (repository.links / "airflow").exists()


def test_a_go_program_is_built_from_its_module(repository: Repository) -> None:
    module = repository.root / "tools" / "modules" / "cache" / "download" / "example.com"
    write(module / "!some" / "thing" / "@v" / "v1.0.0.zip", b"x" * 2_000_000)
    done = repository.run("process-compose")
    assert (done.returncode, done.stderr) == (0, "")
    assert (repository.links / "process-compose" / "bin" / "process-compose").exists()
    assert "2 MB downloaded" in done.stdout
    (build,) = [call for call in repository.calls if call.startswith("go build")]
    assert "-mod=readonly" in build
    assert build.endswith("x.org/y")


def test_a_program_that_is_told_its_version_is_told_the_pinned_one(repository: Repository) -> None:
    go_mod = repository.root / "distribution" / "go" / "compose" / "go.mod"
    go_mod.write_text("module x\n\ngo 1.25.0\n\nrequire x.org/y v5.5.1\n")
    assert repository.run("compose").returncode == 0
    (build,) = [call for call in repository.calls if call.startswith("go build")]
    assert f"-X {UNITS['compose'].version_in}=v5.5.1" in build


def test_a_go_older_than_a_module_asks_for_does_not_do(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(repository.tools))
    modules = repository.root / "distribution" / "go"
    assert golang.required(modules / "objectstore") == (1, 25, 0)
    assert golang.machine_go((1, 26, 3)) == str(repository.tools / "go")
    assert golang.machine_go((1, 27, 0)) is None
    (repository.tools / "go").unlink()
    assert golang.machine_go((1, 2, 0)) is None


def test_the_fitting_java_is_found_and_remembered(
    tmp_path: Path, java_home: JavaHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("JAVA_HOME", JAVA_17.variable, JAVA_25.variable):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    system = tmp_path / "jvm"
    old = java_home(system / "a11", "11.0.2")
    right = java_home(system / "b17", "17.0.15", release=False)
    new = java_home(system / "c25", "25.0.1")
    memory = tmp_path / "java.json"
    assert Runtimes(memory, system).find(JAVA_17) == right
    assert Runtimes(memory, system).find(JAVA_25) == new
    starts = (right / "starts").read_text()
    assert Runtimes(memory, system).find(JAVA_17) == right
    assert (right / "starts").read_text() == starts
    assert not (old / "starts").exists(), "its release file says that it is 11"


def test_java_home_comes_before_the_systems(
    tmp_path: Path, java_home: JavaHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = java_home(tmp_path / "mine", "17.0.1")
    java_home(tmp_path / "jvm" / "theirs", "17.0.15")
    monkeypatch.setenv("JAVA_HOME", str(mine))
    assert Runtimes(tmp_path / "java.json", tmp_path / "jvm").find(JAVA_17) == mine


def test_a_fetched_java_leaves_out_the_module_it_does_not_have(tmp_path: Path) -> None:
    java = write(tmp_path / "bin" / "java", b'#!/bin/sh\nprintf "%s|" "$0" "$@"\n')
    java.chmod(0o755)
    leave_vector_module_out(tmp_path)
    by_a_link = tmp_path / "java17"
    by_a_link.symlink_to(java)
    given = ["-Dx=a b", "--add-modules=jdk.incubator.vector", "-Dy=*", "Main", ""]
    said = subprocess.run([by_a_link, *given], capture_output=True, text=True, check=True).stdout
    assert said.split("|") == [f"{java}.runtime", "-Dx=a b", "-Dy=*", "Main", "", ""]


def wheel(folder: Path, name: str, files: dict[str, bytes], script: str) -> Path:
    """A wheel by hand: no build program is needed."""
    info = f"{name}-1.0.dist-info"
    content = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{script}\n".encode(),
    }
    rows = [f"{path},sha256={_digest(data)},{len(data)}" for path, data in content.items()]
    content[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""]).encode()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as packed:
        for inside, data in content.items():
            packed.writestr(inside, data)
    return path


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def lock(repository: Repository, unit: str, package: str) -> Path:
    """The lock of an environment with one package."""
    (built,) = (repository.root / "wheels").glob(f"{package}-*.whl")
    digest = hashlib.sha256(built.read_bytes()).hexdigest()
    listed: Path = repository.root / "distribution" / "python" / f"{unit}.txt"
    listed.write_text(f"{package}==1.0 --hash=sha256:{digest}\n")
    return listed
