"""Wait for one dbt model without a worker: most model tasks never touch one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
from airflow.triggers.base import BaseTrigger, TaskSuccessEvent, TriggerEvent

from millrace_airflow.outcomes import FAILED, SKIPPED, SUCCESS, Outcome, Outcomes

#: A look is one read of a small file; the producer's state is a query of Airflow's database.
LOOK_SECONDS = 1.0
LOOKS_PER_STATE = 5

ENDED_BADLY = frozenset({"failed", "upstream_failed", "skipped", "removed"})

#: What the operator is resumed for.
RAISE = "raise"
REBUILD = "rebuild"


class ModelTrigger(BaseTrigger):
    """Ends the model's task with the model's outcome.

    An outcome counts once: a later try waits for a newer one while the producer is still to run,
    and rebuilds the model by itself where the producer has ended. That is what makes a retry, and
    the clearing of a single model, really run it again.
    """

    def __init__(self, model: str, producer: str) -> None:
        super().__init__()
        self.model = model
        self.producer = producer

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and what makes an equal instance in the triggerer."""
        arguments = {"model": self.model, "producer": self.producer}
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until there is something to end the task with."""
        instance = self.task_instance
        assert instance is not None
        dag_id, run_id = instance.dag_id, instance.run_id
        outcomes = Outcomes(dag_id, run_id)
        looks = 0
        while True:
            state = await self._state(dag_id, run_id) if looks % LOOKS_PER_STATE == 0 else None
            # The outcome is read after the state: a producer that has ended writes no more.
            event = self.decide(outcomes, state)
            if event is not None:
                yield event
                return
            looks += 1
            await asyncio.sleep(LOOK_SECONDS)

    def decide(self, outcomes: Outcomes, producer_state: str | None) -> TriggerEvent | None:
        """The event for what is known now, or None to go on waiting."""
        outcome = outcomes.read(self.model)
        if outcome and outcome.status != SKIPPED and outcome != outcomes.taken(self.model):
            return self._take(outcomes, outcome)
        if producer_state == SUCCESS:
            return TriggerEvent({"action": REBUILD, "message": ""})
        if producer_state in ENDED_BADLY:
            message = f"{self.producer} is {producer_state}: see its log, then clear it"
            return TriggerEvent({"action": RAISE, "message": message})
        return None

    def _take(self, outcomes: Outcomes, outcome: Outcome) -> TriggerEvent:
        outcomes.take(self.model, outcome)
        self.log.info("%s", outcome.message)
        if outcome.status == FAILED:
            return TriggerEvent({"action": RAISE, "message": outcome.message})
        return TaskSuccessEvent()

    async def _state(self, dag_id: str, run_id: str) -> str | None:
        """The producer's state in this run; None before it is scheduled."""
        states = await asyncio.to_thread(
            RuntimeTaskInstance.get_task_states,
            dag_id=dag_id,
            task_ids=[self.producer],
            run_ids=[run_id],
        )
        state = states.get(run_id, {}).get(self.producer)
        return None if state is None else str(state)
