"""The lake's tables kept small and quick, once a day.

First what every step would do, in the log of `show_plan`; then the steps: old rows go, small files
and manifests are put together, old snapshots are forgotten, orphans are deleted. Each may run while
topics land, and again after it was killed. A step that fails for one table leaves the later steps
their turn; the run is failed all the same. It comes after the pipeline of the night, which has read
by then what retention may remove.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, TriggerRule

from millrace_airflow.defaults import DEFAULT_ARGS, at
from millrace_airflow.millrace import MillraceOperator

#: A backlog of many days is compacted a day at a time; what is left is the next run's.
LONGEST = timedelta(hours=1)

with DAG(
    "lake_maintenance_daily",
    description="Retention, compaction, snapshot expiry and orphans of every table.",
    schedule=at("30 4 * * *"),
    catchup=False,
    max_active_runs=1,
    default_args={**DEFAULT_ARGS, "execution_timeout": LONGEST},
    tags=["maintenance"],
    doc_md=__doc__,
):
    show_plan = MillraceOperator(task_id="show_plan", arguments=["maintain", "--dry-run"])
    remove_old_rows = MillraceOperator(
        task_id="remove_old_rows",
        arguments=["maintain", "--only", "retention"],
        trigger_rule=TriggerRule.ALL_DONE,
    )
    compact_files = MillraceOperator(
        task_id="compact_files",
        arguments=["maintain", "--only", "compact"],
        trigger_rule=TriggerRule.ALL_DONE,
    )
    rewrite_manifests = MillraceOperator(
        task_id="rewrite_manifests",
        arguments=["maintain", "--only", "manifests"],
        trigger_rule=TriggerRule.ALL_DONE,
    )
    expire_snapshots = MillraceOperator(
        task_id="expire_snapshots",
        arguments=["maintain", "--only", "expire"],
        trigger_rule=TriggerRule.ALL_DONE,
    )
    remove_orphans = MillraceOperator(
        task_id="remove_orphans",
        arguments=["maintain", "--only", "orphans"],
        trigger_rule=TriggerRule.ALL_DONE,
    )
    complete = EmptyOperator(task_id="complete")

    show_plan >> remove_old_rows >> compact_files >> rewrite_manifests
    rewrite_manifests >> expire_snapshots >> remove_orphans
    [
        show_plan,
        remove_old_rows,
        compact_files,
        rewrite_manifests,
        expire_snapshots,
        remove_orphans,
    ] >> complete
