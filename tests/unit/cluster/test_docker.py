"""What the Docker runtime makes of settings, of the engine's words, and of a build's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from millrace.cluster.docker.build import Steps, failure
from millrace.cluster.docker.containers import Container, bytes_of, states
from millrace.cluster.docker.engine import explain
from millrace.cluster.docker.inside import command
from millrace.cluster.docker.project import Project, read_overlays, write_overlays
from millrace.cluster.states import health
from millrace.errors import MillraceError
from millrace.settings import Settings


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        (".millrace", "millrace"),
        (".millrace-test-docker", "millrace-test-docker"),
        ("State of Mine", "millrace-stateofmine"),
        (".", "millrace"),
    ],
)
def test_the_project_is_named_after_the_state_folder(folder: str, name: str) -> None:
    settings = Settings()
    settings.__dict__["home"] = Path("/") / folder
    assert Project(settings).name == name


def test_compose_is_told_ports_and_sizes_but_no_host_and_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILLRACE_HOME", "/somewhere")
    monkeypatch.setenv("MILLRACE_KAFKA__HOST", "elsewhere")
    monkeypatch.setenv("COMPOSE_FILE", "other.yml")
    monkeypatch.setenv("MILLRACE_BUILD_PIP_CONF", "[global]")
    monkeypatch.setenv("MILLRACE_NOTIFY__URL", "http://127.0.0.1:9/")
    settings = Settings(home=tmp_path, contracts=tmp_path / "contracts", port_offset=100)
    told = Project(settings).environment()
    assert told["MILLRACE_TRINO__PORT"] == "8181"
    assert told["MILLRACE_DATANODE_2__HTTP_PORT"] == "9974"
    assert told["MILLRACE_TRINO__HEAP"] == "640m"
    assert told["MILLRACE_CONTRACTS"] == str(tmp_path / "contracts")
    assert told["MILLRACE_NOTIFY__URL"] == "http://127.0.0.1:9/"
    assert told["MILLRACE_BUILD_PIP_CONF"] == "[global]"
    ours = [name for name in told if name.startswith("MILLRACE_")]
    assert not [name for name in ours if name.endswith("__HOST")]
    folders = {"MILLRACE_HOME", "MILLRACE_ROOT", "MILLRACE_DIST", "MILLRACE_SECRETS"}
    assert not (folders | {"COMPOSE_FILE"}) & set(told)


@pytest.mark.parametrize(
    ("service", "overlays", "variable"),
    [
        ("kafka", (), "MILLRACE_KAFKA__LIMIT"),
        ("airflow-scheduler", (), "MILLRACE_AIRFLOW__TASKS_LIMIT"),
        ("airflow-triggerer", (), "MILLRACE_AIRFLOW__LIMIT"),
        ("trino-worker", (), "MILLRACE_TRINO__LIMIT"),
        ("history-server", (), "MILLRACE_HISTORY__LIMIT"),
        ("secrets", (), ""),
        ("trino", ("mysql", "starburst"), "MILLRACE_STARBURST__LIMIT"),
        ("mariadb", ("mysql",), "MILLRACE_MARIADB__LIMIT"),
        ("impalad", ("impala",), ""),
    ],
)
def test_who_reached_the_memory_limit_is_told_the_variable_that_moves_it(
    service: str, overlays: tuple[str, ...], variable: str
) -> None:
    assert Project(Settings(), overlays).limit_variable(service) == variable


def test_an_overlay_is_remembered(tmp_path: Path) -> None:
    assert read_overlays(tmp_path) == ()
    write_overlays(tmp_path, ["mysql"])
    assert read_overlays(tmp_path) == ("mysql",)
    files = Project(Settings(home=tmp_path), read_overlays(tmp_path)).files
    assert [file.name for file in files] == ["docker-compose.yml", "compose.mysql.yml"]


def container(probe: bool = True, **state: Any) -> Container:
    seen: dict[str, Any] = {"Status": "running", "Running": True, "ExitCode": 0, "Pid": 7}
    config: dict[str, Any] = {"Labels": {"com.docker.compose.service": "kafka"}}
    if probe:
        config["Healthcheck"] = {"Test": ["CMD", "true"]}
    return Container({"Id": "1", "State": seen | state, "Config": config, "RestartCount": 2})


ENDED: dict[str, Any] = {"Status": "exited", "Running": False}


@pytest.mark.parametrize(
    ("seen", "word"),
    [
        (container(Health={"Status": "healthy"}), "healthy"),
        (container(Health={"Status": "starting"}), "starting"),
        (container(Health={"Status": "unhealthy"}), "unhealthy"),
        (container(Status="created", Running=False), "waiting"),
        (container(Status="restarting"), "restarting"),
        (container(probe=False, **ENDED), "done"),
        (container(probe=False, **ENDED, ExitCode=1), "failed"),
        (container(**ENDED), "failed"),
    ],
)
def test_a_container_is_told_in_the_words_of_a_process(seen: Container, word: str) -> None:
    assert health(seen.state()) == word


def test_a_service_without_a_container_is_waiting() -> None:
    found = states({"kafka": container(Health={"Status": "healthy"})}, ["trino", "kafka"])
    assert [(name, health(state)) for name, state in found.items()] == [
        ("kafka", "healthy"),
        ("trino", "waiting"),
    ]
    assert (found["kafka"].restarts, found["kafka"].pid) == (2, 7)


@pytest.mark.parametrize(
    ("written", "number"), [("512B", 512), ("1.5KiB", 1536), (" 2GiB ", 2**31), ("--", 0)]
)
def test_sizes_as_the_engine_writes_them(written: str, number: int) -> None:
    assert bytes_of(written) == number


def test_paths_of_the_clone_become_those_of_the_image(tmp_path: Path) -> None:
    job = tmp_path / "spark_jobs" / "job.py"
    job.parent.mkdir()
    job.touch()
    words = ["scripts/spark-submit", "--deploy-mode", "cluster", str(job), "--day", "2026-01-01"]
    inside = command(words, tmp_path)
    assert inside == [*words[:3], "/opt/millrace/spark_jobs/job.py", *words[4:]]
    listed = ["spark-submit", f"--py-files={job},{job}", "x" * 5000]
    assert command(listed, tmp_path)[1].count("/opt/millrace/spark_jobs/job.py") == 2
    outside = tmp_path.parent / f"{tmp_path.name}.py"
    outside.touch()
    with pytest.raises(MillraceError, match="the containers see the clone only"):
        command(["spark-submit", str(outside)], tmp_path)


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("permission denied while trying to connect to the Docker daemon socket", "is closed"),
        ("Cannot connect to the Docker daemon at unix:///x. Is it running?", "nothing answers"),
        ("error during connect: dial tcp: lookup no.where: no such host", "nothing answers"),
        ("write /var/lib/docker/x: no space left on device", "no space left on device"),
    ],
)
def test_what_the_client_says_is_explained(said: str, cause: str) -> None:
    assert cause in explain(said, "ps").cause


def test_only_the_steps_that_are_not_in_the_cache_are_told() -> None:
    steps = Steps()
    lines = ("#1 [a 1/2] COPY x y", "#2 [b 1/1] RUN z", "#1 CACHED", "#2 0.1 said", "#2 DONE 1s")
    assert [steps.done_anew(line) for line in lines] == ["", "", "", "[b 1/1] RUN z", ""]


def test_a_build_that_fails_before_its_first_step_is_told_whole(tmp_path: Path) -> None:
    said = "compose build requires buildx 0.17.0 or later\n"
    assert failure(said, tmp_path).thing == "docker buildx"
    base = "docker.io/library/debian:bookworm-slim"
    head = f"------\n > [trino internal] load metadata for {base}:\n------\n"
    said = f"{head}failed to solve: {base}: dial tcp: lookup registry-1.docker.io: no such host\n"
    error = failure(said, tmp_path)
    assert error.thing == "image debian:bookworm-slim"
    assert "the engine could not pull it" in error.cause
    assert error.remedy.startswith("docker pull debian:bookworm-slim  # ")
    said = "failed to solve: debian:bookworm-slim: failed to resolve source metadata\n"
    assert "failed to resolve source metadata" in failure(said, tmp_path).cause
