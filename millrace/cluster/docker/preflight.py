"""What must be true before containers start: images, memory, disk, ports, files, volumes.

The same kind of problems as natively; `up` refuses on the first that is fatal, `doctor` shows all.
What is started is read from Compose's own view of its files.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from millrace.cluster.docker.data_checks import check_datanodes, check_metastore, check_volumes
from millrace.cluster.docker.engine import ask
from millrace.cluster.docker.plan import Plan
from millrace.cluster.ports import Port, held, ports_of
from millrace.cluster.preflight import Problem, least_memory_mib, needed_memory_mib

_MIB, _GIB = 2**20, 2**30
#: The containers' user.
_UID = _GID = 10001
#: The images are there already; two demo runs and the logs take under 2 GiB.
_DISK_GIB = 3
#: Files of the user's that an overlay mounts, by the variable that names them.
_OWN_FILES = {
    "MILLRACE_STARBURST__LICENSE": (
        "Starburst Enterprise needs its licence",
        "/path/of/starburstdata.license",
    ),
    "MILLRACE_IMPALA__CREDENTIALS": (
        "Impala needs its key of the object store",
        "/path/of/credentials",
    ),
}


def problems(plan: Plan) -> Iterator[Problem]:
    """Every problem, the gravest first."""
    for check in CHECKS:
        yield from check(plan)


def check_units(plan: Plan) -> Iterator[Problem]:
    """The command line's own environment is installed."""
    python = plan.project.settings.dist / "lake" / "bin" / "python"
    if not python.exists():
        yield Problem("unit lake", f"{python} is missing", "make install RUNTIME=docker")


def check_images(plan: Plan) -> Iterator[Problem]:
    """Every image of ours is built."""
    built = set(ask("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split())
    ours = {
        service["image"]
        for service in plan.config["services"].values()
        if service.get("pull_policy") == "never" or "build" in service
    }
    for image in sorted(ours - built):
        yield Problem(f"image {image}", "is not built", "make install RUNTIME=docker")


def check_memory(plan: Plan) -> Iterator[Problem]:
    """The engine has the memory that the tier takes."""
    settings = plan.project.settings
    available = plan.engine.memory_mib
    if plan.engine.is_here:
        available = min(available, psutil.virtual_memory().available // _MIB)
    least, wanted = least_memory_mib(settings), needed_memory_mib(settings)
    if plan.is_running or available >= wanted:
        return
    has = f"the engine has {available} MiB"
    if available < least:
        remedy = "MILLRACE_TIER=small make up  # or give the engine more memory"
        if settings.tier == "small":
            remedy = "docker stats  # end other containers, or give the engine more memory"
        cause = f"{has}, tier {settings.tier} needs {least} MiB at rest"
        yield Problem("memory", cause, remedy)
    else:
        cause = f"{has}; with every container of YARN it takes {wanted} MiB"
        remedy = "MILLRACE_YARN__MEMORY_MB=4096 make up  # or give the engine more memory"
        yield Problem("memory", cause, remedy, is_warning=True)


def check_disk(plan: Plan) -> Iterator[Problem]:
    """The engine's file system has room, where it can be seen from here."""
    folder = Path(plan.engine.folder)
    if not plan.engine.is_here or not folder.exists():
        return
    free = shutil.disk_usage(folder).free / _GIB
    if free < _DISK_GIB:
        cause = f"{free:.1f} GiB are free below {folder}, {_DISK_GIB} GiB are needed"
        yield Problem(
            "disk", cause, "docker system df  # make room, for example docker image prune"
        )


def check_ports(plan: Plan) -> Iterator[Problem]:
    """Every port that is published is free, but for those of our own containers."""
    for holder in held(_published(plan)):
        port = holder.port
        other = ask("ps", "--filter", f"publish={port.number}", "--format", "{{.Names}}").split()
        by = f"{holder.name} (pid {holder.pid})" if holder.pid else holder.name
        yield Problem(
            f"port {port.number} of {port.service}",
            f"is held by {f'the container {other[0]}' if other else by}",
            "MILLRACE_PORT_OFFSET=1000 make up"
            + (f"  # or docker stop {other[0]}" if other else "  # or end that process")
            + (f", or set {port.setting}" if port.setting else ""),
        )


def _published(plan: Plan) -> list[Port]:
    """The ports of the services that have no container running."""
    starting = {
        name: service
        for name, service in plan.config["services"].items()
        if not (name in plan.found and plan.found[name].is_running)
    }
    settings = {
        (port.service, port.number): port.setting
        for port in ports_of(plan.project.settings, starting)
    }
    return [
        Port(name, number, settings.get((name, number), ""))
        for name, service in starting.items()
        for number in sorted({int(each["published"]) for each in service.get("ports") or ()})
    ]


def check_notify(plan: Plan) -> Iterator[Problem]:
    """A failed task can be reported from inside a container."""
    url = plan.project.settings.notify.url
    if urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1"):
        yield Problem(
            "MILLRACE_NOTIFY__URL",
            f"{url} is the container itself where a task runs in one: nobody is told",
            "unset MILLRACE_NOTIFY__URL  # or name this machine by its address in the network",
            is_warning=True,
        )


def check_files(plan: Plan) -> Iterator[Problem]:
    """What is mounted from the clone is there, and the containers' user can read it."""
    mounted = {
        Path(mount["source"]): name
        for name, service in plan.config["services"].items()
        for mount in service.get("volumes") or ()
        if mount["type"] == "bind"
    }
    own = {
        Path(os.path.normpath(plan.project.settings.root / named)): variable
        for variable in _OWN_FILES
        if (named := os.environ.get(variable))
    }
    # Elsewhere (a virtual machine) the engine maps owners and modes itself.
    closed = {
        source: first
        for source in sorted(mounted.keys() - own)
        if plan.engine.is_here and source.exists() and (first := _first_closed(source))
    }
    if closed:
        sources = " ".join(shlex.quote(str(source)) for source in closed)
        yield Problem(
            str(next(iter(closed.values()))),
            f"the containers' user ({_UID}) can not read it",
            f"chmod -R go+rX {sources}",
        )
    for source, service in sorted(mounted.items()):
        if source.exists():
            continue
        if variable := own.get(source):
            need, example = _OWN_FILES[variable]
            cause = f"there is no such file; {need}"
            remedy = f"export {variable}={example}  # then make up"
        else:
            cause = f"is mounted into {service} and is not there"
            remedy = f"git checkout {shlex.quote(str(source))}"
        yield Problem(str(source), cause, remedy)


def _first_closed(source: Path) -> Path | None:
    """The first file or folder at or below a path that the containers' user can not read."""
    if not _may_read(source):
        return source
    for folder, folders, files in os.walk(source):
        for name in (*folders, *files):
            path = Path(folder, name)
            if not path.is_symlink() and not _may_read(path):
                return path
    return None


def _may_read(path: Path) -> bool:
    status = path.stat()
    shift = 6 if status.st_uid == _UID else 3 if status.st_gid == _GID else 0
    wanted = 0o5 if path.is_dir() else 0o4
    return (status.st_mode >> shift) & wanted == wanted


CHECKS = (
    check_units,
    check_volumes,
    check_metastore,
    check_datanodes,
    check_images,
    check_files,
    check_memory,
    check_disk,
    check_ports,
    check_notify,
)
