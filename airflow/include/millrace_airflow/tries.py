"""Which try of a task this is: a retry goes on with a work, a clearing asks for it anew."""

from __future__ import annotations

from typing import Any


def generation(task: Any, instance: Any) -> int:
    """How many tries were used before the task was last cleared; 0 where it never was.

    Clearing a task sets its `max_tries` to the tries used so far plus its retries, so what exceeds
    the retries differs from one clearing to the next and is equal for the tries between.
    """
    return max(0, int(instance.max_tries or 0) - int(task.retries or 0))


def is_first_try(task: Any, instance: Any) -> bool:
    """True for the first try of a run or after a clearing, False for a retry."""
    return int(instance.try_number) <= generation(task, instance) + 1
