"""From generated events to marts, once a day.

Contracts come first: topics, schemas and raw tables exist before anything is published. Then the
sample is published while the landing stream starts; when all of it has landed and no stream has
turned bad, Spark builds the processed tables, Great Expectations looks at them, and dbt builds the
marts. A gate that fails leaves the old marts in place. Parameters of a run: `generate` (publish a
new sample first).
"""

from __future__ import annotations

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param, TaskGroup, TriggerRule

from millrace_airflow.dbt import dbt_tasks
from millrace_airflow.defaults import DEFAULT_ARGS, at
from millrace_airflow.millrace import MillraceOperator
from millrace_airflow.spark import SparkOperator
from millrace_airflow.starburst import StarburstOperator

#: The landing stream needs up to a minute from its submission to its first commit.
LANDING_TIMEOUT_SECONDS = 600

TABLE_SIZES = """
select '{table}' as "table", count(*) as files, sum(record_count) as "rows",
    sum(file_size_in_bytes) as bytes
from iceberg.processed."{table}$files"
"""
#: A dataset beside the shop's that turns bad is no reason to keep the shop's marts back;
#: `lake_landing` looks at all of them.
SHOP = ("customers", "products", "locations", "orders")
OF_THE_SHOP = [word for dataset in SHOP for word in ("--dataset", dataset)]
PROCESSED = ("customers", "products", "locations", "orders", "order_lines")

with DAG(
    "enterprise_data_pipeline",
    description="Contracts, sample, landing, processed tables, quality gate, marts.",
    schedule=at("0 2 * * *"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    params={"generate": Param(True, type="boolean", title="Publish a new sample first")},
    tags=["pipeline"],
    doc_md=__doc__,
):
    with TaskGroup("data_generation"):
        generate_data = MillraceOperator(
            task_id="generate_data", arguments=["generate-data"], only_if="{{ params.generate }}"
        )
        publish_sample = MillraceOperator(
            task_id="publish_sample",
            # One name for all tries of a run; clearing the task raises `max_tries`, and asks for
            # the records once more.
            arguments=["publish-sample", "--once", "{{ run_id }}/{{ ti.max_tries }}"],
            only_if="{{ params.generate }}",
        )

    with TaskGroup("data_ingestion"):
        apply_contracts = MillraceOperator(task_id="apply_contracts", arguments=["apply"])
        ensure_landing = MillraceOperator(task_id="ensure_landing", arguments=["landing", "start"])
        wait_for_landing = MillraceOperator(
            task_id="wait_for_landing",
            arguments=["landing", "wait", "--timeout", str(LANDING_TIMEOUT_SECONDS)],
            trigger_rule=TriggerRule.NONE_FAILED,
        )

        # Since the run of the day before: what landed between them is what this one processes.
        # A stream that has turned bad stays bad; the one retry is for a service that was away.
        check_quarantine = MillraceOperator(
            task_id="check_quarantine",
            arguments=["quarantine", "check", "--since", "1d", *OF_THE_SHOP],
            retries=1,
        )

    with TaskGroup("data_processing"):
        build_processed = SparkOperator(
            task_id="build_processed",
            application="spark_jobs/batch/build_processed.py",
            yarn_queue="batch",
        )

    with TaskGroup("data_storage"):
        # The one retry is for a service that was away: bad data fail it at once.
        check_processed = MillraceOperator(
            task_id="check_processed", arguments=["check", "processed"], retries=1
        )
        record_table_sizes = StarburstOperator(
            task_id="record_table_sizes",
            sql=" union all ".join(TABLE_SIZES.format(table=table) for table in PROCESSED),
            at_least_rows=len(PROCESSED),
        )

    with TaskGroup("analytics"):
        dbt = dbt_tasks()
        check_daily_revenue = StarburstOperator(
            task_id="check_daily_revenue",
            sql="select * from iceberg.marts.daily_revenue order by 1 desc limit 5",
            at_least_rows=1,
        )

    complete = EmptyOperator(task_id="complete")

    apply_contracts >> ensure_landing >> wait_for_landing
    [apply_contracts, generate_data] >> publish_sample >> wait_for_landing
    wait_for_landing >> check_quarantine >> build_processed
    build_processed >> [check_processed, record_table_sizes]
    check_processed >> [dbt.producer, *dbt.roots]
    [dbt.producer, *dbt.leaves] >> check_daily_revenue
    [check_daily_revenue, record_table_sizes] >> complete
