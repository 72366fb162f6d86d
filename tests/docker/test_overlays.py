"""The overlay `mysql` and the profile `scale`, with the real images: a cluster of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from millrace.cli.beds import link_distribution
from millrace.cluster.docker.engine import ask
from millrace.cluster.docker.project import Project
from millrace.settings import Settings, load

Run = Callable[..., Any]
Query = Callable[[str], list[list[Any]]]
#: Beside the cluster of the other tests.
PORT_OFFSET = 16_000
DATABASE = "/var/lib/millrace/data/mariadb/metastore"


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The settings of the cluster, which nobody has started."""
    home = tmp_path_factory.mktemp("wide") / f".millrace-wide-{os.getpid()}"
    link_distribution(load().dist, home / "dist")
    return Settings(home=home, port_offset=PORT_OFFSET, contracts=load().contracts)


@pytest.fixture(scope="module")
def run(wide: Settings, millrace: Run) -> Iterator[Run]:
    """The command line on that cluster, which is removed at the end."""
    own = {"MILLRACE_HOME": str(wide.home), "MILLRACE_PORT_OFFSET": str(PORT_OFFSET)}
    yield lambda *arguments: millrace(*arguments, environment=own)
    millrace("destroy", "--yes", environment=own)


@pytest.fixture(scope="module")
def ask_trino(wide: Settings, query_of: Callable[[Settings], Query]) -> Query:
    """Rows of one statement."""
    return query_of(wide)


def live_datanodes(settings: Settings) -> int:
    query = "qry=Hadoop:service=NameNode,name=FSNamesystemState"
    (found,) = requests.get(f"{settings.namenode.web_url}/jmx?{query}", timeout=30).json()["beans"]
    return int(found["NumLiveDataNodes"])


def test_more_workers_more_datanodes_and_a_metastore_on_mariadb(
    wide: Settings, run: Run, ask_trino: Query, eventually: Any
) -> None:
    run("build", "--overlay", "mysql")
    run("up", "--overlay", "mysql", "--profile", "scale")
    workers = "select count(*) from system.runtime.nodes where state = 'active'"
    eventually(lambda: ask_trino(workers) == [[2]], 60, "Trino has its worker")
    eventually(lambda: live_datanodes(wide) == 3, 60, "HDFS has three DataNodes")
    run("apply")
    for schema in ("processed", "marts"):
        ask_trino(f"create table {schema}.kept as select * from (values 1, 2, 3) as t (n)")
    files = ask("exec", f"{Project(wide).name}-mariadb-1", "ls", DATABASE).split()
    assert "TBLS.ibd" in files

    run("down")
    # The overlay stays chosen, a profile does not.
    run("up", "--profile", "scale")
    for schema in ("processed", "marts"):
        assert ask_trino(f"select sum(n) from {schema}.kept") == [[6]]
