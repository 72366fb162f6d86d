"""The environment of every process of a cluster, made from the settings.

Services, Spark containers, Airflow tasks and the command line read the same variables, so an
address or a folder is named once.
"""

from __future__ import annotations

import os
import shlex
import sys

from millrace.cluster.tiers import tier_environment
from millrace.errors import MillraceError
from millrace.settings import Settings, load


def cluster_environment(settings: Settings) -> dict[str, str]:
    """Every variable that the compose file, the launchers and the configuration files use."""
    variables = {
        "MILLRACE_ROOT": str(settings.root),
        "MILLRACE_HOME": str(settings.home),
        "MILLRACE_DIST": str(settings.dist),
        "MILLRACE_CONFIG": str(settings.config),
        "MILLRACE_SECRETS": str(settings.secrets),
        "MILLRACE_CONTRACTS": str(settings.contracts),
        "MILLRACE_CLUSTER": str(settings.home),
        "MILLRACE_PORT_OFFSET": str(settings.port_offset),
        "MILLRACE_TIER": settings.tier,
        "MILLRACE_NOTIFY__URL": settings.notify.url,
    }
    for component, service in settings.services().items():
        for name in type(service).model_fields:
            key = f"MILLRACE_{component}__{name}".upper()
            variables[key] = str(getattr(service, name))
    return variables | tier_environment(settings.config, settings.tier, os.environ)


def lake_environment(settings: Settings) -> dict[str, str]:
    """The environment of a process that runs in the `lake` Python environment."""
    search_path = f"{settings.root}:{settings.root / 'kafka' / 'producers'}"
    return {
        **os.environ,
        **cluster_environment(settings),
        "PYTHONPATH": search_path,
        "JAVA_HOME": str(settings.dist / "java17"),
        "HADOOP_USER_NAME": "millrace",
        "HADOOP_CONF_DIR": str(settings.config / "hadoop"),
        "AWS_SHARED_CREDENTIALS_FILE": str(settings.secrets / "aws-credentials"),
        "AWS_REGION": settings.objectstore.region,
    }


def main() -> None:
    """Print the variables of the cluster as shell commands, for scripts that people call."""
    try:
        settings = load()
    except MillraceError as error:
        sys.exit(f"error: {error}")
    for name, value in cluster_environment(settings).items():
        print(f"export {name}={shlex.quote(value)}")


if __name__ == "__main__":
    main()
