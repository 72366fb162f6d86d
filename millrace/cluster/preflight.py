"""What must be true before a cluster starts: folders, memory, disk, ports, runtimes, limits.

Each check yields the problems it found; `up` refuses on the first that is fatal, `doctor` shows
all. A warning is something that will hurt later.
"""

from __future__ import annotations

import os
import re
import resource
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from millrace.cluster.causes import MAKE_ROOM
from millrace.cluster.ports import held, ports_of
from millrace.cluster.tiers import tier_environment
from millrace.settings import Settings

_MIB = 2**20
_GIB = 2**30
#: Measured at rest without YARN's containers, plus what a first job takes.
_SERVICES_MIB = {"small": 3_400, "standard": 5_600}
#: HDFS refuses to write with less; logs and two demo runs take under 2 GiB.
_DISK_GIB = 3
#: A JVM of this set opens up to 700 files, Trino more.
_OPEN_FILES = 4_096
_INOTIFY_INSTANCES = 16

_SMALLER = "MILLRACE_TIER=small make up"
_END_PROGRAMS = "cat /proc/meminfo  # end other programs, then make up"

#: The newest runtime that was tested, and the oldest that Trino and the registry start on.
NEW_JAVA, OLDEST_NEW_JAVA = 25, 24

UNITS = {
    "java17": ("bin/java", 17),
    "java25": ("bin/java", NEW_JAVA),
    "postgres": ("bin/postgres", 0),
    "objectstore": ("bin/minio", 0),
    "process-compose": ("bin/process-compose", 0),
    "kafka": ("jars", 0),
    "hadoop": ("jars", 0),
    "metastore": ("jars", 0),
    "spark": ("jars", 0),
    "registry": ("quarkus-run.jar", 0),
    "trino": ("lib", 0),
    "lake": ("bin/python", 0),
    "airflow": ("bin/airflow", 0),
}


@dataclass(frozen=True)
class Problem:
    """Something that stands in the way; a warning does not stop `up`."""

    thing: str
    cause: str
    remedy: str
    is_warning: bool = False


Check = Callable[[Settings, Iterable[str]], Iterator[Problem]]


def problems(settings: Settings, services: Iterable[str]) -> Iterator[Problem]:
    """Every problem, folders and runtimes first: without them nothing else matters."""
    names = list(services)
    for check in CHECKS:
        yield from check(settings, names)


def check_folders(settings: Settings, services: Iterable[str]) -> Iterator[Problem]:
    """No folder's name means something else in a URI, a class path or a list of folders."""
    for said, folder, remedy in (
        ("repository", settings.root, "pwd  # clone or move it to a folder without them"),
        ("state folder", settings.home, "unset MILLRACE_HOME  # or set it to one without them"),
    ):
        if re.search(r"[\s:,]", str(folder)):
            cause = f"'{folder}' holds a space, a colon or a comma, which Hadoop can not read"
            yield Problem(f"the {said}", cause, remedy)


def check_units(settings: Settings, services: Iterable[str]) -> Iterator[Problem]:
    """Every unit of the distribution is linked and holds what is started from it."""
    for unit, (file, _) in UNITS.items():
        if not (settings.dist / unit / file).exists():
            yield Problem(
                f"unit {unit}", f"{settings.dist / unit / file} is missing", "make install"
            )


def check_java(settings: Settings, services: Iterable[str]) -> Iterator[Problem]:
    """The Java runtimes are of the version that the services need."""
    for unit, (file, wanted) in UNITS.items():
        java = settings.dist / unit / file
        if wanted and java.exists():
            version = _java_version(java)
            if version != wanted and not (wanted == NEW_JAVA and version >= OLDEST_NEW_JAVA):
                found = f"is Java {version}" if version else "does not run"
                remedy = f"rm {shlex.quote(str(settings.dist / unit))} && make install"
                yield Problem(f"unit {unit}", f"{java} {found}, not Java {wanted}", remedy)


def _java_version(java: Path) -> int:
    """The feature release, from the runtime's own `release` file where it has one."""
    release = java.parent.parent / "release"
    try:
        text = release.read_text()
    except OSError:
        text = ""
    found = re.search(r'JAVA_VERSION="(\d+)', text)
    if not found:
        try:
            answer = subprocess.run(
                [java, "-version"], capture_output=True, check=False, text=True, timeout=20
            )
        except (OSError, subprocess.SubprocessError):
            return 0
        found = re.search(r'version "(\d+)', answer.stderr)
    return int(found.group(1)) if found else 0


def least_memory_mib(settings: Settings) -> int:
    """What the tier's services take at rest."""
    return _SERVICES_MIB[settings.tier]


def needed_memory_mib(settings: Settings) -> int:
    """What the tier's services and the containers of YARN may take together."""
    sizes = tier_environment(settings.config, settings.tier, os.environ)
    return least_memory_mib(settings) + int(sizes["MILLRACE_YARN__MEMORY_MB"])


def check_memory(settings: Settings, services: Iterable[str]) -> Iterator[Problem]:
    """The services fit, and better if every container of YARN does too."""
    available = psutil.virtual_memory().available // _MIB
    least, wanted = least_memory_mib(settings), needed_memory_mib(settings)
    if available < least:
        yield Problem(
            "memory",
            f"{available} MiB are available, tier {settings.tier} needs {least} MiB at rest",
            _SMALLER if settings.tier != "small" else _END_PROGRAMS,
        )
    elif available < wanted:
        yield Problem(
            "memory",
            f"{available} MiB are available; with every container of YARN it takes {wanted} MiB",
            "MILLRACE_YARN__MEMORY_MB=4096 make up  # or end other programs",
            is_warning=True,
        )


def check_disk(settings: Settings, services: Iterable[str]) -> Iterator[Problem]:
    """The file system of the state folder has room."""
    folder = settings.home
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / _GIB
    if free < _DISK_GIB:
        cause = f"{free:.1f} GiB are free below {folder}, {_DISK_GIB} GiB are needed"
        yield Problem("disk", cause, MAKE_ROOM)


def check_ports(settings: Settings, services: Iterable[str]) -> Iterator[Problem]:
    """Every port of every service is free."""
    for holder in held(ports_of(settings, services)):
        port = holder.port
        by = f"{holder.name} (pid {holder.pid})" if holder.pid else holder.name
        yield Problem(
            f"port {port.number} of {port.service}",
            f"is held by {by}",
            f"MILLRACE_PORT_OFFSET=1000 make up  # or end that process, or set {port.setting}",
        )


def check_limits(settings: Settings, services: Iterable[str]) -> Iterator[Problem]:
    """The kernel lets the services open their files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard not in (resource.RLIM_INFINITY,) and hard < _OPEN_FILES:
        cause = f"a process may open {hard} files, Trino and Kafka need {_OPEN_FILES}"
        yield Problem(
            "open files", cause, "ulimit -Hn  # have root raise it in /etc/security/limits.conf"
        )
    elif soft != resource.RLIM_INFINITY and soft < _OPEN_FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, hard))
    instances = Path("/proc/sys/fs/inotify/max_user_instances")
    if instances.exists() and int(instances.read_text()) < _INOTIFY_INSTANCES:
        cause = f"fs.inotify.max_user_instances is under {_INOTIFY_INSTANCES}"
        remedy = "sudo sysctl fs.inotify.max_user_instances=128"
        yield Problem("inotify", cause, remedy, is_warning=True)


CHECKS: tuple[Check, ...] = (
    check_folders,
    check_units,
    check_java,
    check_memory,
    check_disk,
    check_ports,
    check_limits,
)
