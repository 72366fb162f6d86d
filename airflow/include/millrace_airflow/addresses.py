"""Where the services and the executables are, from the environment of the cluster."""

from __future__ import annotations

import os
from pathlib import Path


def root() -> Path:
    """The project's folder: `bin/millrace`, `scripts/spark-submit`, the Spark jobs."""
    return Path(os.environ["MILLRACE_ROOT"])


def home() -> Path:
    """The state folder."""
    return Path(os.environ["MILLRACE_HOME"])


def resource_manager() -> str:
    """Base address of YARN's REST API."""
    host = os.environ.get("MILLRACE_RESOURCEMANAGER__HOST", "127.0.0.1")
    port = os.environ.get("MILLRACE_RESOURCEMANAGER__HTTP_PORT", "8088")
    return f"http://{host}:{port}"


def notify_url() -> str:
    """Where a failed task is reported; empty means nowhere."""
    return os.environ.get("MILLRACE_NOTIFY__URL", "")
