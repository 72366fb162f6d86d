"""Waiting ends well, or names the service that is to blame; deleting asks whose folder it is."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from millrace.cluster import lifecycle
from millrace.cluster.causes import ServiceError
from millrace.cluster.state_folder import close
from millrace.cluster.states import ProcessState, health
from millrace.cluster.supervisor import Supervisor
from millrace.errors import MillraceError
from millrace.settings import ROOT, Settings


def state(name: str, **changes: object) -> ProcessState:
    values: dict[str, object] = {
        "name": name,
        "status": "Running",
        "health": "Ready",
        "restarts": 0,
        "exit_code": 0,
        "pid": 1,
        "has_probe": True,
    }
    return ProcessState(**(values | changes))  # type: ignore[arg-type]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "state")


def waited(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, *rounds: ProcessState, ok: bool = True
) -> list[str]:
    """What waiting returns for one service that goes through these states, the last for ever."""
    left = [rounds[0], *rounds]

    def processes(_: Supervisor) -> dict[str, ProcessState]:
        now = left.pop(0) if len(left) > 1 else left[0]
        return {now.name: now}

    monkeypatch.setattr(Supervisor, "processes", processes)
    monkeypatch.setattr(lifecycle, "ask", lambda _, names: dict.fromkeys(names, ok))
    monkeypatch.setattr(lifecycle, "_POLL_SECONDS", 0)
    return lifecycle._wait(settings, Supervisor(settings), 0.5, lambda _: None)


def test_waiting_ends_when_every_service_is_healthy(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    starting = state("kafka", health="Not Ready")
    assert waited(settings, monkeypatch, starting, state("kafka")) == ["kafka"]


def test_a_service_that_keeps_dying_is_named_with_its_log_and_the_cause(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = settings.home / "logs" / "kafka.log"
    log.parent.mkdir(parents=True)
    log.write_text("INFO starting\nERROR No space left on device\n")
    dying = state("kafka", health="Not Ready", restarts=3, status="Restarting")
    with pytest.raises(ServiceError) as caught:
        waited(settings, monkeypatch, state("kafka", health="Not Ready"), dying)
    assert caught.value.thing == "service kafka"
    assert "probably because the disk is full" in caught.value.cause
    assert "ERROR No space left on device" in caught.value.cause
    assert "du -sh" in caught.value.remedy


def test_a_failed_one_shot_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = state("lake-init", status="Completed", exit_code=1, has_probe=False, health="-")
    with pytest.raises(ServiceError, match="service lake-init: could not be started"):
        waited(settings, monkeypatch, failed)


def test_a_service_that_only_looks_healthy_is_waited_for(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The supervisor remembers the health of a process that has been started again since."""
    with pytest.raises(ServiceError, match="was not healthy within"):
        waited(settings, monkeypatch, state("kafka"), ok=False)


def started(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, *running: str, profiles: tuple[str, ...]
) -> list[str]:
    """What `up` returns where these services run and are healthy."""
    states = {name: state(name) for name in running}
    monkeypatch.setattr(Supervisor, "is_running", lambda _: True)
    monkeypatch.setattr(Supervisor, "processes", lambda _: states)
    monkeypatch.setattr(lifecycle, "ask", lambda _, names: dict.fromkeys(names, True))
    return lifecycle.up(settings, profiles, 1, lambda _: None)


def test_a_profile_that_the_running_cluster_lacks_is_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = lifecycle.service_names(settings)
    assert started(settings, monkeypatch, *running, profiles=()) == running
    with pytest.raises(MillraceError) as caught:
        started(settings, monkeypatch, *running, profiles=("history",))
    golden = ROOT / "tests" / "golden" / "errors" / "cluster_other_profile.txt"
    assert f"error: {caught.value}\n" == golden.read_text()


def test_up_leaves_the_services_of_a_profile_running(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = lifecycle.service_names(settings, ["history"])
    assert started(settings, monkeypatch, *running, profiles=()) == running


def test_the_state_folder_is_its_owners_alone(tmp_path: Path) -> None:
    for home in (tmp_path / "new" / "state", tmp_path / "old"):
        (tmp_path / "old").mkdir(mode=0o755, exist_ok=True)
        close(home)
        assert home.stat().st_mode & 0o777 == 0o700


def test_the_process_file_is_its_owners_alone(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds the URL that failures are reported to, which is often a secret."""
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: SimpleNamespace(pid=1))
    monkeypatch.setattr(Supervisor, "is_running", lambda _: True)
    file = settings.home / "supervisor" / "process-compose.yaml"
    file.parent.mkdir(parents=True)
    file.touch(mode=0o644)
    Supervisor(settings).start({"version": "0.5"})
    assert file.read_text() == "version: '0.5'\n"
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_is_no_state_is_not_deleted(settings: Settings) -> None:
    settings.home.mkdir()
    (settings.home / "precious").touch()
    with pytest.raises(MillraceError, match="is not the state folder"):
        lifecycle.destroy(settings)
    assert (settings.home / "precious").exists()


def test_destroying_deletes_the_data_keeps_the_distribution_and_may_be_repeated(
    settings: Settings,
) -> None:
    for folder in ("data/kafka", "secrets", "dist"):
        (settings.home / folder).mkdir(parents=True)
    (settings.home / "cluster").touch()
    for _ in range(2):
        lifecycle.destroy(settings)
        assert {entry.name for entry in settings.home.iterdir()} == {"cluster", "dist"}


@pytest.mark.parametrize(
    ("process", "answers", "expected"),
    [
        (state("a"), True, "healthy"),
        (state("a"), False, "starting"),
        (state("a", status="Completed", has_probe=False), True, "done"),
        (state("a", status="Completed", has_probe=False, exit_code=1), True, "failed"),
        (state("a", status="Pending", health="-"), True, "waiting"),
        (state("a", status="Restarting", health="Not Ready"), True, "restarting"),
        (state("a", status="Skipped", health="-"), True, "failed"),
    ],
)
def test_the_words_of_health(process: ProcessState, answers: bool, expected: str) -> None:
    assert health(process, answers) == expected


def test_the_socket_moves_where_the_state_folder_is_too_deep(tmp_path: Path) -> None:
    deep = Settings(home=tmp_path / ("x" * 120))
    assert len(str(Supervisor(deep).socket)) < 108
    assert Supervisor(Settings(home=Path("/s"))).socket == Path("/s/supervisor/socket")
