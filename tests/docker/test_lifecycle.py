"""The life of a cluster in Docker: started, watched, stopped, killed half way, deleted."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import psutil
import pytest

from millrace.cluster.causes import ServiceError
from millrace.cluster.docker.containers import containers
from millrace.cluster.docker.engine import ask
from millrace.cluster.docker.runtime import DockerRuntime
from millrace.cluster.docker.volumes import volumes
from millrace.cluster.runtime import current
from millrace.errors import MillraceError
from tests.docker.small import Clone, silent

TIMEOUT = 60.0


def runtime(clone: Clone) -> DockerRuntime:
    found = current(clone.settings())
    assert isinstance(found, DockerRuntime)
    return found


def up(clone: Clone, *profiles: str) -> list[str]:
    return runtime(clone).up(profiles, TIMEOUT, silent)


def inside(clone: Clone, command: str) -> str:
    container = containers(runtime(clone).project.name)["airflow-scheduler"]
    return ask("exec", container.id, "bash", "-c", command)


def test_what_up_leaves_on_the_host_and_what_status_tells(clone: Clone) -> None:
    assert up(clone) == ["airflow-scheduler", "secrets", "trino"]
    secret = clone.home / "secrets" / "a-password"
    assert secret.read_text() == "first\n"
    assert (secret.stat().st_mode & 0o777, secret.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert (clone.home / "runtime").read_text() == "docker\n"

    status = runtime(clone).status()
    assert status.is_healthy
    services = {each.name: each for each in status.services}
    assert services["secrets"].health == "done"
    assert services["trino"].ports == (clone.settings().trino.port,)
    assert services["trino"].pid > 0
    assert runtime(clone).problems() == []


def test_up_again_changes_nothing_and_a_profile_stays(
    clone: Clone, capsys: pytest.CaptureFixture[str]
) -> None:
    up(clone)
    secret = clone.home / "secrets" / "a-password"
    before = secret.stat().st_mtime_ns
    pids = {each.name: each.pid for each in runtime(clone).status().services}
    assert "history-server" in up(clone, "history")
    assert "history-server" in up(clone)
    after = {each.name: each.pid for each in runtime(clone).status().services}
    assert {name: after[name] for name in pids} == pids
    assert secret.stat().st_mtime_ns == before

    runtime(clone).logs("trino", follow=False, lines=5)
    assert capsys.readouterr().out == "started\n"
    with pytest.raises(MillraceError, match="has no log; there are: airflow-scheduler, history"):
        runtime(clone).logs("kafak", follow=False, lines=5)


def test_a_stopped_service_of_a_profile_is_started_again(clone: Clone) -> None:
    up(clone, "history", "scale")
    project = runtime(clone).project.name
    ask("stop", *(f"{project}-{name}-1" for name in ("history-server", "datanode-2")))
    assert {"history-server", "datanode-2"} < set(up(clone))
    assert runtime(clone).status().is_healthy


def test_down_keeps_the_volumes_and_destroy_keeps_nothing(clone: Clone) -> None:
    up(clone)
    inside(clone, "echo kept > /var/lib/millrace/file")
    runtime(clone).down()
    assert not runtime(clone).is_running()
    assert runtime(clone).status().services == ()
    up(clone)
    assert inside(clone, "cat /var/lib/millrace/file") == "kept\n"

    runtime(clone).destroy()
    assert {entry.name for entry in clone.home.iterdir()} == {"cluster", "dist"}
    project = runtime(clone).project.name
    assert not containers(project) and not volumes(project)


def test_what_compose_started_by_hand_is_seen_and_destroyed(clone: Clone) -> None:
    found = runtime(clone)
    subprocess.run(
        found.project.command("up", "--detach", "--wait", "trino"),
        env=found.project.environment(),
        check=True,
        capture_output=True,
    )
    assert found.status().is_healthy
    (clone.home / "precious").touch()
    found.destroy()
    assert (clone.home / "precious").exists()
    assert not volumes(found.project.name)
    with pytest.raises(MillraceError, match="is not the state folder"):
        found.destroy()


def test_the_ledger_of_volumes_that_are_gone_is_put_aside(clone: Clone) -> None:
    """`docker compose down --volumes` knows nothing of it: the next count would be wrong."""
    up(clone)
    ledger = clone.home / "ledger"
    ledger.mkdir()
    (ledger / "a-run.jsonl").write_text("of the former cluster\n")
    up(clone)
    assert (ledger / "a-run.jsonl").exists()
    runtime(clone).project.take_down("--volumes")
    up(clone)
    (aside,) = clone.home.glob("ledger-until-*")
    assert not ledger.exists()
    assert (aside / "a-run.jsonl").read_text() == "of the former cluster\n"


def test_a_new_secret_replaces_the_copy(clone: Clone) -> None:
    up(clone)
    clone.write(word="second")
    up(clone)
    assert (clone.home / "secrets" / "a-password").read_text() == "second\n"


def test_what_tasks_write_is_collected_file_by_file_and_once(clone: Clone) -> None:
    up(clone)
    inside(clone, "cd /var/lib/millrace; mkdir ledger sample; echo 1 > ledger/a; echo 1 > sample/b")
    runtime(clone).collect()
    ledger, sample = clone.home / "ledger" / "a", clone.home / "sample" / "b"
    assert (ledger.read_text(), sample.read_text()) == ("1\n", "1\n")

    copied = ledger.stat().st_ino
    sample.write_text("of the host, later\n")
    inside(clone, "echo 2 > /var/lib/millrace/ledger/c")
    runtime(clone).collect()
    assert ledger.stat().st_ino == copied
    assert sample.read_text() == "of the host, later\n"
    assert (clone.home / "ledger" / "c").read_text() == "2\n"


def test_nothing_is_collected_from_a_cluster_that_is_down(clone: Clone) -> None:
    runtime(clone).collect()
    assert not (clone.home / "ledger").exists()


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("echo No space left on device; sleep 0.2; exit 1", "probably because the disk is full"),
        ("echo started; exec sleep 1000", "could not be started; the last lines of its log"),
    ],
)
def test_a_service_that_can_not_start_is_named_with_its_log(
    clone: Clone, program: str, expected: str
) -> None:
    clone.write(trino=program)
    with pytest.raises(ServiceError) as caught:
        up(clone)
    assert caught.value.thing == "service trino"
    assert expected in caught.value.cause
    assert program.split(";", maxsplit=1)[0].removeprefix("echo ") in caught.value.cause
    clone.write()
    assert "trino" in up(clone)


def test_a_service_that_is_late_is_named(clone: Clone) -> None:
    clone.write(trino="sleep 30; touch /tmp/ready; sleep 1000")
    with pytest.raises(ServiceError, match="was not healthy within 2 s") as caught:
        runtime(clone).up((), 2, silent)
    # Not the scheduler: it waits for the others itself.
    assert caught.value.thing in ("service secrets", "service trino")


def at_work(project: str) -> list[str]:
    """The commands of Compose that run on a project now."""
    commands = (" ".join(each.info["cmdline"] or ()) for each in psutil.process_iter(["cmdline"]))
    return [command for command in commands if f"--project-name {project} " in command]


def test_an_up_that_gave_up_leaves_compose_ended(clone: Clone) -> None:
    clone.write(trino="sleep 30")
    with pytest.raises(ServiceError):
        runtime(clone).up((), 2, silent)
    assert at_work(runtime(clone).project.name) == []


def test_a_killed_up_is_gone_on_with(clone: Clone) -> None:
    clone.write(trino="sleep 4; touch /tmp/ready; exec sleep 1000")
    program = (
        "from pathlib import Path; from millrace.settings import Settings;"
        "from millrace.cluster.runtime import current;"
        f"s = Settings(root=Path({str(clone.root)!r}), home=Path({str(clone.home)!r}));"
        f"s.trino.port = {clone.settings().trino.port};"
        "current(s).up((), 60, print)"
    )
    killed = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.DEVNULL)
    project = runtime(clone).project.name
    deadline = time.monotonic() + TIMEOUT
    while not any(each.is_running for each in containers(project).values()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    while at_work(project):
        assert time.monotonic() < deadline, "Compose goes on beside the next command"
        time.sleep(0.1)
    assert up(clone) == ["airflow-scheduler", "secrets", "trino"]


def test_a_cluster_keeps_its_runtime(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    up(clone)
    monkeypatch.setenv("RUNTIME", "native")
    with pytest.raises(MillraceError, match="the cluster is running in Docker"):
        current(clone.settings())
    monkeypatch.delenv("RUNTIME")
    current(clone.settings()).down()
    monkeypatch.setenv("RUNTIME", "native")
    with pytest.raises(MillraceError, match="holds the state of a cluster that ran in Docker"):
        current(clone.settings())


def test_one_command_at_a_time(clone: Clone) -> None:
    from millrace.cluster.state_folder import only_one  # noqa: PLC0415

    with only_one(clone.settings()), pytest.raises(MillraceError, match="another command"):
        up(clone)
