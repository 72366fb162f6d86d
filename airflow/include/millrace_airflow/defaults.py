"""What every task gets unless it says otherwise."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.timetables.trigger import CronTriggerTimetable

from millrace_airflow.notify import notify

#: Pools bound what a machine of two cores can do at once; `config/airflow/pools.json` sizes them.
SPARK_POOL = "spark"
TRINO_POOL = "trino"

#: Services come back within a minute of being killed (their supervisor restarts them), so three
#: tries 15, 30 and 60 s apart outlast the death of any of them.
DEFAULT_ARGS: dict[str, Any] = {
    "owner": "millrace",
    "retries": 3,
    "retry_delay": timedelta(seconds=15),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=2),
    "execution_timeout": timedelta(minutes=15),
    "on_failure_callback": notify,
}


def at(cron: str) -> CronTriggerTimetable:
    """The ticks of `cron` in UTC, the first one strictly after the DAG was unpaused.

    A cron string would also run at once where the last tick is less than a tenth of the interval
    ago, beside the run that somebody unpaused the DAG for.
    """
    return CronTriggerTimetable(cron, timezone="UTC", run_immediately=timedelta(0))
