"""Which service listens on which ports, and who holds one that should be free."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import psutil

from millrace.settings import Settings

#: The settings of one component are the ports of one service, of the same name but for these.
_SERVICES = {
    "airflow": "airflow-apiserver",
    "history": "history-server",
    "datanode_2": "datanode-2",
    "datanode_3": "datanode-3",
}
#: Nothing listens there: set so that another Airflow on the machine is never asked for a log, and
#: the port of a listener within a container.
_SILENT = {
    ("airflow", "worker_log_port"),
    ("airflow", "triggerer_log_port"),
    ("kafka", "external_port"),
}


@dataclass(frozen=True)
class Port:
    """One port of one service, and the setting that moves it."""

    service: str
    number: int
    setting: str


@dataclass(frozen=True)
class Holder:
    """A port that another process holds; pid 0 where the process can not be seen."""

    port: Port
    pid: int
    name: str


def ports_of(settings: Settings, services: Iterable[str]) -> list[Port]:
    """Every port that the given services listen on."""
    wanted = set(services)
    return [
        Port(service, getattr(address, field), f"MILLRACE_{component}__{field}".upper())
        for component, address in settings.services().items()
        if (service := _SERVICES.get(component, component)) in wanted
        for field in type(address).model_fields
        if field.endswith("port") and (component, field) not in _SILENT
    ]


def held(ports: Iterable[Port]) -> Iterator[Holder]:
    """The ports that can not be bound now, with the process that listens there."""
    taken = [port for port in ports if not _is_free(port.number)]
    if not taken:
        return
    owners = _listeners()
    for port in taken:
        pid = owners.get(port.number, 0)
        yield Holder(port, pid, _name(pid))


def _is_free(number: int) -> bool:
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        # As the services do: a connection of the last run in TIME_WAIT does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError as error:
            return error.errno != errno.EADDRINUSE
    return True


def _listeners() -> dict[int, int]:
    return {
        connection.laddr.port: connection.pid or 0
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr
    }


def _name(pid: int) -> str:
    try:
        return psutil.Process(pid).name() if pid else "a process of another user"
    except psutil.Error:
        return "a process that has ended since"
