"""The landing stream runs, and how far it is behind.

Every few minutes: start the streaming application where it is not running (starting it twice is
harmless), then report each topic's lag.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from millrace_airflow.defaults import DEFAULT_ARGS, at
from millrace_airflow.millrace import MillraceOperator

with DAG(
    "lake_landing",
    description="Keep the landing stream running and report its lag.",
    schedule=at("*/5 * * * *"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=10),
    default_args=DEFAULT_ARGS,
    tags=["landing"],
    doc_md=__doc__,
):
    ensure_landing = MillraceOperator(task_id="ensure_landing", arguments=["landing", "start"])
    report_lag = MillraceOperator(task_id="report_lag", arguments=["landing", "lag"])
    ensure_landing >> report_lag
