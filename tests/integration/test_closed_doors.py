"""Nobody gets in: what listens, and who can read the secrets."""

from __future__ import annotations

import stat
from pathlib import Path

import psutil

from millrace.settings import Settings

LOOPBACK = {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


def cluster_processes(home: Path) -> list[psutil.Process]:
    """Every living process that carries the mark of this cluster."""
    marked = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("MILLRACE_CLUSTER") == str(home):
                marked.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return marked


def test_nothing_of_the_cluster_listens_outside_loopback(cluster: Settings) -> None:
    listening = {}
    for process in cluster_processes(cluster.home):
        try:
            for connection in process.net_connections(kind="tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    listening[connection.laddr] = process.name()
        except psutil.NoSuchProcess:
            continue
    assert len(listening) > 15, "the sockets of the services were not seen"
    outside = {address: name for address, name in listening.items() if address[0] not in LOOPBACK}
    assert not outside


def test_only_the_user_can_read_the_secrets(cluster: Settings) -> None:
    files = list(cluster.secrets.iterdir())
    assert len(files) >= 10
    assert stat.S_IMODE(cluster.secrets.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_no_secret_is_in_a_process_list_or_a_log(cluster: Settings) -> None:
    values = [
        cluster.secret(name)
        for name in ("postgres-password", "objectstore-secret-key", "airflow-admin-password")
    ]
    assert all(len(value) >= 16 for value in values)
    assert len(set(values)) == len(values)
    commands = [" ".join(process.cmdline()) for process in cluster_processes(cluster.home)]
    logs = [file.read_text(errors="replace") for file in (cluster.home / "logs").rglob("*.log")]
    assert logs
    for value in values:
        assert not any(value in text for text in (*commands, *logs))
