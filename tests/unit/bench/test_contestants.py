"""What the contestants are started with: the same sizes, the bed's own addresses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner
from pyiceberg.io.pyarrow import schema_to_pyarrow

from millrace.bench.connect import command, sink_settings, worker_settings
from millrace.bench.contestant import SCHEMA, STOP_S, Program, Terms, roots
from millrace.bench.contestants import contestants
from millrace.chaos.triggers import until
from millrace.cli.beds import BENCH, CHAOS, DOCKER, NATIVE
from millrace.cli.bench import NAMES, bench
from millrace.cluster.strays import is_alive
from millrace.errors import MillraceError
from millrace.settings import Settings
from spark_jobs.streaming.drain_topic import COLUMNS


@pytest.fixture
def terms(tmp_path: Path) -> Terms:
    settings = Settings(home=tmp_path, port_offset=15_000)
    return Terms(settings, "bench.events", batch=60_000, interval_s=2.0)


def test_the_command_names_those_there_are(terms: Terms) -> None:
    assert tuple(contestants(terms, "bench_events")) == NAMES


@pytest.mark.parametrize(
    "words", [["--rates", "fast"], ["--rates", "5000,0"], ["--rates", "1,,2"], ["--seconds", "0"]]
)
def test_what_can_not_be_measured_is_refused_before_a_cluster_starts(words: list[str]) -> None:
    done = CliRunner().invoke(bench, ["ingest", *words])
    assert done.exit_code == 2
    assert words[0] in done.output


def test_the_bed_is_its_own() -> None:
    others = (NATIVE, CHAOS, DOCKER)
    assert BENCH.folder not in {bed.folder for bed in others}
    assert BENCH.port_offset not in {bed.port_offset for bed in others}


def test_the_stock_query_reads_the_columns_of_the_tables() -> None:
    wanted = {"long": "int64", "string": "large_string", "timestamp": "timestamp[us, tz=UTC]"}
    columns = [column.split() for column in COLUMNS.split(", ")]
    schema = schema_to_pyarrow(SCHEMA, include_field_ids=False)
    found = [(field.name, str(field.type).replace("large_", "")) for field in schema]
    assert [(name, wanted[kind].replace("large_", "")) for name, kind in columns] == found


def test_connect_speaks_to_the_beds_services_alone(terms: Terms, tmp_path: Path) -> None:
    worker = worker_settings(terms.settings, tmp_path / "offsets")
    sink = sink_settings(terms, "control")
    assert worker["bootstrap.servers"] == "127.0.0.1:24092"
    assert worker["listeners"] == "http://127.0.0.1:23095"
    assert sink["iceberg.catalog.uri"] == "thrift://127.0.0.1:24083"
    assert sink["iceberg.control.commit.interval-ms"] == "2000"


def test_connect_has_its_own_jars_and_sparks_for_hive(terms: Terms) -> None:
    dist = terms.settings.dist
    for jar in ("connect/jars/connect-runtime.jar", "spark/jars/hive-metastore-2.3.10.jar"):
        (dist / jar).parent.mkdir(parents=True)
        (dist / jar).touch()
    (dist / "spark" / "jars" / "iceberg-spark-runtime.jar").touch()
    words = command(terms.settings, Path("w"), Path("c"))
    path = words[words.index("-cp") + 1].split(":")
    assert path[0] == str(dist / "connect" / "jars" / "*")
    assert str(dist / "spark" / "jars" / "hive-metastore-2.3.10.jar") in path
    # Another Iceberg beside the sink's own would be taken in no set order.
    assert not [each for each in path if "iceberg-spark" in each]


def test_a_program_that_fails_is_told_with_the_end_of_its_log(terms: Terms) -> None:
    program = Program(terms.settings, "trial")
    assert not program.has_ended()
    program.start([sys.executable, "-c", "import sys; sys.exit('no topic')"])
    with pytest.raises(MillraceError, match="ended with 1:\nno topic"):
        _until_ended(program)
    program.stop()


def test_a_program_is_ended_with_its_children(terms: Terms) -> None:
    program = Program(terms.settings, "trial")
    program.start(["bash", "-c", "sleep 600 & echo started; wait"])
    while "started" not in program.log.read_text():
        assert not program.has_ended()
    (process,) = program.processes()
    children = process.children()
    program.stop()
    assert not program.processes()
    until("the end of its children", lambda: not any(is_alive(each) for each in children), STOP_S)


def _until_ended(program: Program) -> None:
    while not program.has_ended():
        pass


def test_the_roots_of_containers_are_found_once_each(tmp_path: Path) -> None:
    marks = {"MILLRACE_SUPERVISED": "1", "MILLRACE_CLUSTER": str(tmp_path)}
    marks["CONTAINER_ID"] = "container_1700000000000_0003_01_000001"
    shell = ["bash", "-c", "sleep 600 & echo started; wait"]
    with subprocess.Popen(shell, env={**os.environ, **marks}, stdout=subprocess.PIPE) as started:
        assert started.stdout
        assert started.stdout.readline() == b"started\n"
        (child,) = psutil.Process(started.pid).children()
        assert [each.pid for each in roots(tmp_path)] == [started.pid]
        child.kill()
        started.kill()
