"""Wait for a YARN application without holding a worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
from airflow.triggers.base import BaseTrigger, TaskSuccessEvent, TriggerEvent

from millrace_airflow import yarn

#: A ResourceManager that comes back knows its applications again after it has read its state
#: store; "no such application" is believed only when it has been the answer for this long.
FORGOTTEN_AFTER_SECONDS = 60


class YarnApplicationTrigger(BaseTrigger):
    """Fires when the application ends.

    Success ends the task right here, since resuming it on a worker costs 2 s of a core to say so.
    Anything else resumes the operator, which raises with the diagnostics. A ResourceManager that
    does not answer is asked again: only the task's own timeout ends the wait.
    """

    def __init__(self, application_id: str, poll_seconds: float = yarn.POLL_SECONDS) -> None:
        super().__init__()
        self.application_id = application_id
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and what makes an equal instance in the triggerer."""
        arguments = {"application_id": self.application_id, "poll_seconds": self.poll_seconds}
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look at the application until it has ended."""
        last_state = ""
        unknown_seconds = 0.0
        async with httpx.AsyncClient(timeout=yarn.TIMEOUT) as client:
            while unknown_seconds < FORGOTTEN_AFTER_SECONDS:
                application, is_unknown = await self._look(client)
                unknown_seconds = unknown_seconds + self.poll_seconds if is_unknown else 0
                if application and application.state != last_state:
                    last_state = application.state
                    self.log.info("%s is %s", application.id, last_state)
                if application and not application.is_living:
                    yield self._event(application)
                    return
                await asyncio.sleep(self.poll_seconds)
        yield TriggerEvent(
            {
                "application_id": self.application_id,
                "outcome": "FORGOTTEN",
                "diagnostics": "the ResourceManager no longer knows this application",
                "log_url": "",
            }
        )

    async def _look(self, client: httpx.AsyncClient) -> tuple[yarn.Application | None, bool]:
        """The application, and whether the ResourceManager says that there is none."""
        try:
            answer = await client.get(yarn.application_url(self.application_id))
            if answer.status_code == httpx.codes.NOT_FOUND:
                return None, True
            answer.raise_for_status()
            return yarn.Application.parse(answer.json()["app"]), False
        except (httpx.HTTPError, ValueError, KeyError) as error:
            self.log.info("the ResourceManager does not answer, asking again: %r", error)
            return None, False

    @staticmethod
    def _event(application: yarn.Application) -> TriggerEvent:
        if application.has_succeeded:
            return TaskSuccessEvent(xcoms={"return_value": application.id})
        ended_well = application.state == "FINISHED"
        return TriggerEvent(
            {
                "application_id": application.id,
                "outcome": application.final_status if ended_well else application.state,
                "diagnostics": application.diagnostics,
                "log_url": application.log_url,
            }
        )

    async def on_kill(self) -> None:
        """Kill the application when somebody clears the task or marks it failed or succeeded."""
        self.log.info("killing %s", self.application_id)
        await asyncio.to_thread(
            yarn.ResourceManager(patience_seconds=yarn.TIMEOUT.read or 0).kill, self.application_id
        )
