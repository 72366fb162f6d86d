"""The trigger that follows an application, against recorded answers of a ResourceManager."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from airflow.triggers.base import TaskSuccessEvent, TriggerEvent

from millrace_airflow import yarn_trigger
from millrace_airflow.yarn_trigger import YarnApplicationTrigger

APPS = "/ws/v1/cluster/apps"


def event_of(trigger: YarnApplicationTrigger) -> TriggerEvent:
    """The one event of a trigger."""

    async def first() -> TriggerEvent:
        async for event in trigger.run():
            return event
        raise AssertionError("no event")

    return asyncio.run(first())


def test_the_trigger_waits_for_the_end_and_success_needs_no_worker(
    resource_manager: Any, recorded: Any
) -> None:
    running, finished = recorded("running"), recorded("finished", id="application_1_0001")
    path = f"{APPS}/application_1_0001"
    resource_manager.answer("GET", path, {"app": running}, {"app": running}, {"app": finished})
    event = event_of(YarnApplicationTrigger("application_1_0001", poll_seconds=0.01))
    assert isinstance(event, TaskSuccessEvent)
    assert event.xcoms == {"return_value": "application_1_0001"}
    assert len(resource_manager.requests) == 3


@pytest.mark.parametrize(("name", "outcome"), [("failed", "FAILED"), ("killed", "KILLED")])
def test_any_other_end_resumes_the_task_with_the_diagnostics(
    resource_manager: Any, recorded: Any, name: str, outcome: str
) -> None:
    app = recorded(name)
    resource_manager.answer("GET", f"{APPS}/{app['id']}", {"app": app})
    event = event_of(YarnApplicationTrigger(app["id"], poll_seconds=0.01))
    assert event.payload["outcome"] == outcome
    assert event.payload["diagnostics"] == app["diagnostics"].strip() != ""


def test_the_trigger_outlasts_a_resource_manager_that_is_away_or_starting(
    resource_manager: Any, recorded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = resource_manager.url.rpartition(":")[2]
    finished = recorded("finished")
    path = f"{APPS}/{finished['id']}"
    resource_manager.answers["GET", path] = [
        (404, {"RemoteException": {}}),
        (500, {}),
        (200, "not JSON"),
        (200, {"app": finished}),
    ]
    trigger = YarnApplicationTrigger(finished["id"], poll_seconds=0.01)

    async def first() -> TriggerEvent:
        monkeypatch.setenv("MILLRACE_RESOURCEMANAGER__HTTP_PORT", "1")  # refused
        waiting = asyncio.create_task(anext(trigger.run()))
        await asyncio.sleep(0.05)
        monkeypatch.setenv("MILLRACE_RESOURCEMANAGER__HTTP_PORT", port)
        return await waiting

    assert isinstance(asyncio.run(first()), TaskSuccessEvent)


def test_an_application_that_is_gone_for_good_fails_the_task(
    resource_manager: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yarn_trigger, "FORGOTTEN_AFTER_SECONDS", 0.03)
    event = event_of(YarnApplicationTrigger("application_1_0001", poll_seconds=0.01))
    assert event.payload["outcome"] == "FORGOTTEN"


def test_clearing_a_waiting_task_kills_the_application(resource_manager: Any) -> None:
    path = f"{APPS}/application_1_0001/state"
    resource_manager.answer("PUT", path, {"state": "KILLED"}, status=202)
    asyncio.run(YarnApplicationTrigger("application_1_0001").on_kill())
    assert resource_manager.bodies("PUT") == [{"state": "KILLED"}]


def test_the_trigger_survives_the_way_through_the_database() -> None:
    name, arguments = YarnApplicationTrigger("application_1_0001", poll_seconds=3).serialize()
    assert name == "millrace_airflow.yarn_trigger.YarnApplicationTrigger"
    again = YarnApplicationTrigger(**json.loads(json.dumps(arguments)))
    assert again.serialize() == (name, arguments)
