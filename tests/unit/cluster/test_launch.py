"""The launcher of a service can be killed anywhere: its next run mends what the last one left."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from millrace.settings import ROOT

#: Stands for Java and for Python: says what it was asked for, and dies where the test wants it.
PROGRAM = """#!/bin/sh
for word do
    case $word in
    *MetastoreSchemaTool) did=load ;;
    *HiveMetaStore) did=serve ;;
    *metastore_schema) did=drop ;;
    esac
done
echo "$did" >>"$MILLRACE_HOME/calls"
[ "$did" != "$DIES_AT" ]
"""


@dataclass(frozen=True)
class Metastore:
    """A metastore whose programs are scripts."""

    home: Path

    def launch(self, dies_at: str = "", **more: str) -> list[str]:
        """Start it once; what was called."""
        calls = self.home / "calls"
        calls.unlink(missing_ok=True)
        variables = {
            "MILLRACE_ROOT": ROOT,
            "MILLRACE_HOME": self.home,
            "MILLRACE_DIST": self.home / "dist",
            "MILLRACE_CONFIG": ROOT / "config",
            "MILLRACE_SECRETS": self.home / "secrets",
            "MILLRACE_CLUSTER": self.home,
            "MILLRACE_BIND": "127.0.0.1",
            "MILLRACE_METASTORE__HEAP": "1m",
            "MILLRACE_METASTORE__PORT": "1",
            "MILLRACE_POSTGRES__HOST": "127.0.0.1",
            "MILLRACE_POSTGRES__PORT": "1",
            "DIES_AT": dies_at,
            **more,
        }
        done = subprocess.run(
            [ROOT / "scripts" / "launch", "metastore"],
            env=os.environ | {name: str(value) for name, value in variables.items()},
            check=False,
            capture_output=True,
            text=True,
        )
        assert (done.returncode == 0) == (not dies_at), done.stderr
        return calls.read_text().split()


@pytest.fixture
def metastore(tmp_path: Path) -> Metastore:
    found = Metastore(tmp_path / "state")
    for program in ("java17/bin/java", "lake/bin/python"):
        file = found.home / "dist" / program
        file.parent.mkdir(parents=True)
        file.write_text(PROGRAM)
        file.chmod(0o755)
    deliver(found, "4.0.0")
    secrets = found.home / "secrets"
    secrets.mkdir()
    for name in ("metastore-db-password", "objectstore-access-key", "objectstore-secret-key"):
        (secrets / name).write_text("x")
    return found


def deliver(metastore: Metastore, version: str) -> None:
    jars = metastore.home / "dist" / "metastore" / "jars"
    jars.mkdir(parents=True, exist_ok=True)
    for jar in jars.iterdir():
        jar.unlink()
    (jars / f"hive-standalone-metastore-server-{version}.jar").touch()


def test_the_schema_is_loaded_once(metastore: Metastore) -> None:
    assert metastore.launch() == ["load", "serve"]
    assert metastore.launch() == ["serve"]


def test_what_a_service_writes_is_for_its_user_alone(metastore: Metastore) -> None:
    metastore.launch()
    for name in ("run/metastore", "data", "logs"):
        assert (metastore.home / name).stat().st_mode & 0o777 == 0o700
    assert (metastore.home / "data" / "metastore-schema-4.0.0").stat().st_mode & 0o777 == 0o600


def test_what_a_killed_first_load_left_is_dropped(metastore: Metastore) -> None:
    assert metastore.launch(dies_at="load") == ["load"]
    assert metastore.launch(dies_at="load") == ["drop", "load"]
    assert metastore.launch() == ["drop", "load", "serve"]
    assert metastore.launch() == ["serve"]


def test_a_newer_hive_brings_the_schema_up_to_date_and_never_drops_it(
    metastore: Metastore,
) -> None:
    metastore.launch(dies_at="load")
    metastore.launch()
    deliver(metastore, "4.1.0")
    assert metastore.launch(dies_at="load") == ["load"]
    assert metastore.launch() == ["load", "serve"]
    assert metastore.launch() == ["serve"]


def test_a_state_folder_of_before_the_version_was_marked_is_not_dropped(
    metastore: Metastore,
) -> None:
    (metastore.home / "data").mkdir()
    for marker in ("metastore-schema", "metastore-began"):
        (metastore.home / "data" / marker).touch()
    assert metastore.launch() == ["load", "serve"]


def test_a_metastore_on_another_database_loads_its_schema_there(metastore: Metastore) -> None:
    mysql = {
        "MILLRACE_METASTORE__DATABASE": "mysql",
        "MILLRACE_MARIADB__HOST": "127.0.0.1",
        "MILLRACE_MARIADB__PORT": "1",
    }
    assert metastore.launch() == ["load", "serve"]
    assert metastore.launch(dies_at="load", **mysql) == ["load"]
    assert metastore.launch(**mysql) == ["drop", "load", "serve"]
    assert metastore.launch() == ["serve"]
