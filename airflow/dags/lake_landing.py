"""The landing stream runs, how far it is behind, and whether anything is about to be lost.

Every few minutes: start the streaming application where it is not running (starting it twice is
harmless). Then `watch_landing` reports each topic's lag; it fails where table and log disagree, and
where a record has not landed though half of its topic's retention is over. What is open in
quarantine is counted by class, and published as dead letters.
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
    watch_landing = MillraceOperator(
        task_id="watch_landing", arguments=["landing", "status", "--strict"]
    )
    report_quarantine = MillraceOperator(
        task_id="report_quarantine",
        arguments=["quarantine", "list", "--status", "open", "--limit", "0"],
    )
    publish_dead_letters = MillraceOperator(
        task_id="publish_dead_letters", arguments=["quarantine", "publish"]
    )
    ensure_landing >> watch_landing
    ensure_landing >> report_quarantine >> publish_dead_letters
