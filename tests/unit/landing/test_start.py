"""`millrace landing start` where YARN has landing applications already."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

import millrace.cli.landing as command
from millrace.landing.yarn import Application, Yarn
from millrace.settings import Settings

OLDEST = {"id": "application_1_0002", "state": "RUNNING", "startedTime": 10}
LATER = {"id": "application_1_0001", "state": "RUNNING", "startedTime": 20}
LATEST = {"id": "application_1_0003", "state": "ACCEPTED", "startedTime": 30}


class FakeYarn(Yarn):
    """Answers with these applications, and notes whom it is told to kill."""

    def __init__(self, apps: list[dict[str, Any]]) -> None:
        super().__init__(Settings())
        self.apps = apps
        self.killed: list[str] = []

    def _call(self, *_: Any) -> dict[str, Any]:
        return {"apps": {"app": self.apps}}

    def kill(self, application: Application) -> None:
        self.killed.append(application.id)


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What was submitted to YARN."""
    calls: list[object] = []
    monkeypatch.setattr(command, "submit", calls.append)
    return calls


def start(monkeypatch: pytest.MonkeyPatch, *apps: dict[str, Any]) -> tuple[FakeYarn, list[str]]:
    """Run the command; gives YARN and what was printed."""
    yarn = FakeYarn(list(apps))
    monkeypatch.setattr(command, "Yarn", lambda _: yarn)
    done = CliRunner().invoke(command.start)
    assert done.exit_code == 0, done.output
    return yarn, done.output.splitlines()


def test_of_two_applications_the_oldest_is_kept(
    monkeypatch: pytest.MonkeyPatch, submitted: list[object]
) -> None:
    yarn, said = start(monkeypatch, LATEST, LATER, OLDEST)
    assert yarn.killed == [LATER["id"], LATEST["id"]]
    assert said == [
        "application_1_0001, application_1_0003 killed: application_1_0002 is older",
        "application_1_0002 is running already",
    ]
    assert submitted == []


def test_one_application_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, submitted: list[object]
) -> None:
    yarn, said = start(monkeypatch, OLDEST)
    assert (yarn.killed, submitted) == ([], [])
    assert said == ["application_1_0002 is running already"]
