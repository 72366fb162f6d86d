"""The lake's tables kept small and quick, once a day.

First what every step would do, in the log of `show_plan`; then the steps: old rows go, manifests
and small files are put together, old snapshots are forgotten, orphans are deleted. Each may run
while topics land, and again after it was killed. A step that fails for one table leaves the later
steps their turn; the run is failed all the same. It comes after the pipeline of the night, which
has read by then what retention may remove.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, TriggerRule, chain

from millrace_airflow.defaults import DEFAULT_ARGS, at
from millrace_airflow.millrace import MillraceOperator

#: A backlog of many days is compacted a day at a time; what is left is the next run's.
LONGEST = timedelta(hours=1)
#: task -> step of `millrace maintain`, in their order.
STEPS = {
    "remove_old_rows": "retention",
    "rewrite_manifests": "manifests",
    "compact_files": "compact",
    "expire_snapshots": "expire",
    "remove_orphans": "orphans",
}

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
    steps = [
        MillraceOperator(
            task_id=task_id,
            arguments=["maintain", "--only", step],
            trigger_rule=TriggerRule.ALL_DONE,
        )
        for task_id, step in STEPS.items()
    ]
    complete = EmptyOperator(task_id="complete")

    chain(show_plan, *steps)
    [show_plan, *steps] >> complete
