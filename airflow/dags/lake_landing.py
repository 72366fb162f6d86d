"""The landing stream runs, how far it is behind, and whether anything is about to be lost.

Every few minutes: `ensure_landing` starts the streaming application where it is not running
(starting it twice is harmless). `watch_landing` reports each topic's lag; it fails where table and
log disagree, and where a record has not landed though half of its topic's retention is over.
`check_quarantine` fails where a stream of any dataset has turned bad. What is open in quarantine is
counted by class, and published as dead letters. None waits for another's success: where one topic
keeps landing from starting, the records of the others age and must be watched.
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
    MillraceOperator(task_id="ensure_landing", arguments=["landing", "start"])
    MillraceOperator(task_id="watch_landing", arguments=["landing", "status", "--strict"])
    # An hour is records enough for a verdict, and soon over once the producer is mended. The one
    # retry is for a service that was away, or a batch whose good records were not yet committed.
    MillraceOperator(
        task_id="check_quarantine",
        arguments=["quarantine", "check", "--since", "1h"],
        retries=1,
    )
    report_quarantine = MillraceOperator(
        task_id="report_quarantine",
        arguments=["quarantine", "list", "--status", "open", "--limit", "0"],
    )
    publish_dead_letters = MillraceOperator(
        task_id="publish_dead_letters", arguments=["quarantine", "publish"]
    )
    report_quarantine >> publish_dead_letters
