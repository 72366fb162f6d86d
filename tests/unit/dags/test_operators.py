"""The command line's operator, the failure notice, and SQL's checks."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from airflow.timetables.base import TimeRestriction

from millrace_airflow.defaults import at
from millrace_airflow.millrace import BAD_DATA, MillraceOperator
from millrace_airflow.notify import notify
from millrace_airflow.process import Process
from millrace_airflow.starburst import StarburstOperator
from millrace_airflow.yarn import ResourceManager

GONE_WITHIN_SECONDS = 10


@pytest.fixture
def command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a command line that a test writes."""
    script = tmp_path / "bin" / "millrace"
    script.parent.mkdir()
    script.touch(mode=0o755)
    monkeypatch.setenv("MILLRACE_ROOT", str(tmp_path))
    return script


def test_a_failed_command_fails_with_the_error_and_its_remedy(
    command_line: Path, state: Path, instance: Any
) -> None:
    command_line.write_text(
        "#!/bin/sh\necho 'error: Kafka: no answer' >&2\necho '  to mend it: make up' >&2\nexit 1\n"
    )
    operator = MillraceOperator(task_id="apply", arguments=["apply"])
    with pytest.raises(AirflowException) as error:
        operator.execute({"ti": instance})
    assert str(error.value) == (
        "$MILLRACE_ROOT/bin/millrace ended with 1:\nerror: Kafka: no answer\n  to mend it: make up"
    )


def test_a_check_that_has_found_bad_data_is_not_tried_again(
    command_line: Path, state: Path, instance: Any
) -> None:
    command_line.write_text("#!/bin/sh\necho 'error: orders: 1 row breaks a rule' >&2\nexit 4\n")
    operator = MillraceOperator(task_id="check", arguments=["check", "processed"])
    with pytest.raises(AirflowFailException, match="ended with 4:\nerror: orders"):
        operator.execute({"ti": instance})
    source = (Path(__file__).resolve().parents[3] / "millrace" / "errors.py").read_text()
    assert re.search(rf"class BadDataError.*?exit_code = {BAD_DATA}\n", source, re.DOTALL)


def test_a_switched_off_task_is_skipped(command_line: Path) -> None:
    operator = MillraceOperator(task_id="publish", arguments=["publish"], only_if="False")
    with pytest.raises(AirflowSkipException):
        operator.execute({})


def test_the_command_dies_with_its_task_even_by_kill_9(tmp_path: Path) -> None:
    include = Path(__file__).resolve().parents[3] / "airflow" / "include"
    program = (
        "from millrace_airflow.process import Process\n"
        f"Process().run(['/bin/sh', '-c', 'echo $$ > {tmp_path}/pid; exec sleep 600'])\n"
    )
    task = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", program],
        env={**os.environ, "PYTHONPATH": str(include)},
    )
    pid_file = tmp_path / "pid"
    while not pid_file.exists() or not pid_file.read_text():
        assert task.poll() is None
        time.sleep(0.05)
    child = int(pid_file.read_text())
    task.send_signal(signal.SIGKILL)
    task.wait()
    deadline = time.monotonic() + GONE_WITHIN_SECONDS
    while is_running(child):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    """True while the process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_command_that_does_not_heed_sigterm_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("millrace_airflow.process.GRACE_SECONDS", 0.1)
    process = Process()

    def stop(line: str) -> str:
        process.stop()
        return line

    with pytest.raises(AirflowException, match="ended with -9"):
        process.run(["/bin/sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done"], stop)


def test_the_failure_notice_reaches_a_server(
    receiver: Any, instance: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILLRACE_NOTIFY__URL", f"{receiver.url}/hook")
    receiver.answer("POST", "/hook", {})
    notify({"ti": instance, "exception": AirflowException("boom")})
    assert receiver.bodies("POST") == [
        {
            "dag_id": "shop",
            "task_id": "build",
            "run_id": "manual__2026-01-01",
            "map_index": -1,
            "try": 1,
            "error": "boom",
            "log_url": "http://airflow.test/log",
        }
    ]


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/hook", "nonsense", "file:///etc/passwd"])
def test_a_notice_that_can_not_be_delivered_fails_nothing(
    instance: Any, url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MILLRACE_NOTIFY__URL", url)
    notify({"ti": instance})
    assert "was not delivered" in caplog.text


def test_a_refused_notice_is_logged(
    receiver: Any, instance: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MILLRACE_NOTIFY__URL", f"{receiver.url}/nobody")
    notify({"ti": instance})
    assert "404" in caplog.text


@pytest.mark.parametrize("path", ["hook/s3cret", "?token=s3cret"])
def test_the_path_of_an_address_is_a_credential_and_not_logged(
    receiver: Any,
    instance: Any,
    path: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    receiver.answer("POST", "/hook/s3cret", {})
    receiver.answer("POST", "/", {})
    monkeypatch.setenv("MILLRACE_NOTIFY__URL", f"{receiver.url}/{path}")
    notify({"ti": instance})
    assert "http://127.0.0.1" in caplog.text
    assert "s3cret" not in caplog.text


def test_nothing_is_sent_without_an_address(
    receiver: Any, instance: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MILLRACE_NOTIFY__URL", raising=False)
    notify({"ti": instance})
    assert receiver.requests == []


@pytest.mark.parametrize(
    ("rows", "passes"), [([], False), ([[0]], False), ([[None]], False), ([[1, "x"], [0]], True)]
)
def test_a_check_looks_at_the_first_row(rows: list[list[Any]], passes: bool) -> None:
    operator = StarburstOperator(task_id="check", sql="select 1", check=True)
    if passes:
        operator._check(rows)
    else:
        with pytest.raises(AirflowException, match="the check failed"):
            operator._check(rows)


def test_too_few_rows_fail() -> None:
    operator = StarburstOperator(task_id="check", sql=["select 1", "select 2"], at_least_rows=2)
    operator._check([[1], [2]])
    with pytest.raises(AirflowException, match="1 rows, at least 2: select 2"):
        operator._check([[1]])


def test_a_schedule_has_no_tick_at_the_moment_it_is_switched_on() -> None:
    """A DAG switched on for a run by hand must not start its daily run beside it."""
    restriction = TimeRestriction(earliest=None, latest=None, catchup=False)
    info = at("* * * * *").next_dagrun_info_v2(last_dagrun_info=None, restriction=restriction)
    assert info.run_after > datetime.now(UTC)


def test_a_search_outlasts_a_resource_manager_that_starts(
    resource_manager: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("millrace_airflow.yarn.POLL_SECONDS", 0.01)
    path = "/ws/v1/cluster/apps"
    resource_manager.answers["GET", path] = [(503, {}), (503, {}), (200, {"apps": None})]
    assert ResourceManager().tagged("shop") == []
