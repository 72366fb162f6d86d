"""Nobody gets in, and who is in can do little: users, capabilities, ports, passwords, secrets."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import Any

import psutil
import psycopg
import pytest

from millrace.cluster.docker.containers import Container, containers
from millrace.cluster.docker.engine import ask, call
from millrace.cluster.docker.project import Project
from millrace.settings import Settings

Running = Callable[[], dict[str, Container]]
USER = "10001"
LOOPBACK = {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
#: Shorter values are no secrets that chance could not repeat.
SECRET_LENGTH = 16


def test_no_process_of_a_container_is_root(running: Running) -> None:
    users = {
        name: set(
            ask("exec", each.id, "bash", "-c", "cat /proc/[0-9]*/status 2>/dev/null || true")
            .replace("\t", " ")
            .splitlines()
        )
        for name, each in running().items()
    }
    assert len(users) >= 14
    found = {
        name: {line for line in lines if line.startswith(("Uid:", "Gid:"))}
        for name, lines in users.items()
    }
    expected = {f"{kind}: {' '.join([USER] * 4)}" for kind in ("Uid", "Gid")}
    assert found == dict.fromkeys(found, expected)


def test_every_container_is_shut_in(cluster: Settings, project: Project) -> None:
    """The one-shots too: they have ended, and the engine remembers how they ran."""
    for name, container in containers(project.name).items():
        host = container.document["HostConfig"]
        assert container.document["Config"]["User"] == f"{USER}:{USER}", name
        assert host["CapDrop"] == ["ALL"] and not host["CapAdd"], name
        assert any(each.startswith("no-new-privileges") for each in host["SecurityOpt"]), name
        assert host["ReadonlyRootfs"] and not host["Privileged"], name
        assert host["Memory"] > 0 and host["PidsLimit"] > 0, name
        assert {"max-size", "max-file"} <= set(host["LogConfig"]["Config"]), name
        assert host["NetworkMode"] != "host" and not host["PidMode"], name


def test_nothing_of_the_cluster_listens_outside_loopback(running: Running) -> None:
    """What is published, and what the kernel says of these ports in the host's namespace."""
    published: set[int] = set()
    for name, container in running().items():
        bindings = container.document["HostConfig"]["PortBindings"] or {}
        assert {each["HostIp"] for host in bindings.values() for each in host} <= {"127.0.0.1"}
        published |= set(container.ports)
        assert not container.document["HostConfig"]["PublishAllPorts"], name
    assert len(published) >= 10
    listening = {
        (connection.laddr.ip, connection.laddr.port)
        for connection in psutil.net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port in published
    }
    assert listening
    assert {address for address, _ in listening} <= LOOPBACK


def test_another_address_of_this_machine_is_refused(running: Running) -> None:
    """As a neighbour in the network would try it, where this machine has such an address."""
    addresses = {
        each.address
        for interface in psutil.net_if_addrs().values()
        for each in interface
        if each.family == socket.AF_INET and not each.address.startswith("127.")
    }
    ports = {port for each in running().values() for port in each.ports}
    for address in addresses:
        for port in ports:
            with socket.socket() as attempt:
                attempt.settimeout(2)
                assert attempt.connect_ex((address, port)) != 0, f"{address}:{port} answers"


@pytest.mark.parametrize("user", ["postgres", "metastore", "registry", "airflow"])
def test_no_role_of_the_database_has_a_default_password(cluster: Settings, user: str) -> None:
    address = {"host": cluster.postgres.host, "port": cluster.postgres.port, "dbname": user}
    for password in ("", user, "postgres", "password", "admin"):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(user=user, password=password, **address).close()
    ours = cluster.secret("postgres-password" if user == "postgres" else f"{user}-db-password")
    with psycopg.connect(user=user, password=ours, **address) as connection:
        assert connection.execute("select current_user").fetchall() == [(user,)]


def secrets(settings: Settings) -> dict[str, bytes]:
    """Name to value, of the files that hold a single value."""
    contents = {file.name: file.read_bytes().strip() for file in settings.secrets.iterdir()}
    return {
        name: value
        for name, value in contents.items()
        if len(value.split()) == 1 and len(value) >= SECRET_LENGTH and name[-5:] != ".json"
    }


def test_no_secret_is_in_a_log_a_setting_or_a_command(
    cluster: Settings, running: Running, project: Project
) -> None:
    values = secrets(cluster)
    assert len(values) >= 8
    said: dict[str, bytes] = {"compose config": json.dumps(project.config()).encode()}
    for name, container in containers(project.name).items():
        done = call("logs", container.id)
        said[f"log of {name}"] = done.stdout + done.stderr
        said[f"settings of {name}"] = json.dumps(dict(container.document)).encode()
    for name, container in running().items():
        said[f"commands of {name}"] = call("top", container.id, "-eo", "pid,args").stdout
    assert b"java" in said["commands of kafka"]
    assert len(said["log of trino"]) > 1_000
    leaks: list[Any] = [
        f"{secret} in {place}"
        for place, text in said.items()
        for secret, value in values.items()
        if value in text
    ]
    assert not leaks
