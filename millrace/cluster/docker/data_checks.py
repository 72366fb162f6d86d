"""Checks of the volumes: no data is read by what can not read it, and none is left behind."""

from __future__ import annotations

from collections.abc import Iterator

from millrace.cluster.docker.plan import Plan
from millrace.cluster.docker.volumes import LAYOUT, volumes
from millrace.cluster.preflight import Problem

#: The volume of the overlay `mysql`.
_MARIADB = "mariadb"
#: The services of the profile `scale` that keep data; their volumes have their names.
_FURTHER_DATANODES = ("datanode-2", "datanode-3")


def check_volumes(plan: Plan) -> Iterator[Problem]:
    """Every volume that is there holds data that this version can read."""
    expected = plan.config.get("volumes") or {}
    for name, volume in volumes(plan.project.name).items():
        wanted = str((expected.get(name) or {}).get("labels", {}).get(LAYOUT, ""))
        layout = str((volume["Labels"] or {}).get(LAYOUT, ""))
        if wanted and layout != wanted:
            yield Problem(
                f"volume {volume['Name']}",
                f"holds another version's data: layout {layout or 'none'}, this one reads {wanted}",
                "make destroy  # deletes the data; or check out the version that made it",
            )


def check_metastore(plan: Plan) -> Iterator[Problem]:
    """The metastore's database is the one that knows the tables."""
    there = volumes(plan.project.name)
    has, wants = _MARIADB in there, _MARIADB in (plan.config.get("volumes") or {})
    if there and has != wants:
        knows, lacks = ("MariaDB", "PostgreSQL") if has else ("PostgreSQL", "MariaDB")
        yield Problem(
            "the metastore",
            f"its tables are in {knows}; on {lacks} there would be none",
            f"make up OVERLAY={'mysql' if has else 'none'}  # or make destroy, for a new cluster",
        )


def check_datanodes(plan: Plan) -> Iterator[Problem]:
    """Every DataNode that has blocks is started, or HDFS would wait for them in safe mode."""
    there = volumes(plan.project.name)
    for name in _FURTHER_DATANODES:
        if name in there and name not in plan.config["services"]:
            cause = f"{name} holds blocks of HDFS, which waits for them in safe mode"
            yield Problem("the profile scale", cause, "make up PROFILE=scale")
            return
