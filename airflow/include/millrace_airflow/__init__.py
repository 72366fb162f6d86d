"""What Millrace's DAGs share: operators, triggers, defaults and the failure notice.

Airflow's environment holds neither `millrace` nor Spark nor dbt. A task starts their executables
and asks services over HTTP; addresses come from the `MILLRACE_*` variables of the cluster.
"""
