"""Drawing up a plan for all services, and carrying it out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

from botocore.exceptions import BotoCoreError
from hive_metastore.ttypes import InvalidOperationException, MetaException
from thrift.transport.TTransport import TTransportException

from millrace.apply.steps import Action, Step, lost_means_down, require
from millrace.apply.subjects import plan_subjects
from millrace.apply.tables import plan_tables
from millrace.apply.topics import plan_topics
from millrace.contracts import Contract
from millrace.errors import MillraceError
from millrace.lake import catalog
from millrace.settings import Settings

Result = TypeVar("Result")

__all__ = ["Action", "Plan", "RefusedError", "Step", "draw_up", "execute"]


class RefusedError(MillraceError):
    """A plan that would break a reader; nothing of it was applied."""

    def __init__(self, refused: Sequence[Step]) -> None:
        self.refused = tuple(refused)
        listed = "\n  ".join(f"{step.thing}: {step.detail}" for step in refused)
        super().__init__(
            "the plan is refused, and nothing was changed",
            f"{len(refused)} of its steps would break readers or lose data\n  {listed}",
            "make plan  # first change the contracts as said there",
        )

    def __reduce__(self) -> tuple[type[RefusedError], tuple[tuple[Step, ...]]]:
        return type(self), (self.refused,)


@dataclass(frozen=True)
class Plan:
    """Every step, in the order they are carried out in."""

    steps: tuple[Step, ...]

    def of(self, *actions: Action) -> tuple[Step, ...]:
        """The steps with one of those actions."""
        return tuple(step for step in self.steps if step.action in actions)

    @property
    def changes(self) -> tuple[Step, ...]:
        """The steps that do something."""
        return self.of(Action.CREATE, Action.ALTER)


def draw_up(settings: Settings, contracts: Iterable[Contract]) -> Plan:
    """Compare the contracts with the state of each service.

    Raises:
        ServiceDownError: one of them does not answer.
    """
    contracts = tuple(contracts)
    # The services do not depend on each other, and each makes us wait.
    with ThreadPoolExecutor() as pool:
        parts = [
            pool.submit(part, settings, contracts)
            for part in (plan_topics, _plan_lake, plan_subjects)
        ]
        return Plan(tuple(step for part in parts for step in part.result()))


def execute(plan: Plan, tell: Callable[[Step], None]) -> None:
    """Carry out every change of a plan, in its order.

    Tables come before schemas: a record can have a new field only when its column is there.
    A run that ends halfway is finished by the next one.

    Raises:
        RefusedError: the plan holds a refusal; nothing was changed.
    """
    if refused := plan.of(Action.REFUSE):
        raise RefusedError(refused)
    for step in plan.changes:
        assert step.perform is not None
        step.perform()
        tell(step)


def _plan_lake(settings: Settings, contracts: Sequence[Contract]) -> list[Step]:
    require("the metastore", settings.metastore)
    require("the NameNode", settings.namenode, settings.namenode.http_port)
    require("the object store", settings.objectstore)
    steps = _spoken(settings, "the lake", lambda: plan_tables(catalog(settings), contracts))
    return [_guarded(settings, step) for step in steps]


def _guarded(settings: Settings, step: Step) -> Step:
    """The step, whose failures are said as a user knows them."""
    if step.perform is None:
        return step
    perform = step.perform
    return replace(step, perform=lambda: _spoken(settings, step.thing, perform))


def _spoken(settings: Settings, thing: str, call: Callable[[], Result]) -> Result:
    """Call, and turn what the clients of the lake raise into an error with its remedy."""
    with lost_means_down("the metastore", settings.metastore, TTransportException):
        try:
            return call()
        # WebHDFS, s3fs and requests all raise kinds of OSError: a DataNode that is gone, a full
        # disk, safe mode.
        except (MetaException, InvalidOperationException, BotoCoreError, OSError) as error:
            cause = " ".join(str(getattr(error, "message", error)).split())[:500]
            raise MillraceError(thing, cause, "make doctor  # then make apply") from error
