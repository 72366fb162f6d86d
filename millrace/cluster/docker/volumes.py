"""What lives in the project's volumes and is wanted on the host: secrets, and what tasks write.

Clients on the host need the secrets; the counts need the ledger that a task in a container wrote.
Both are copied, file by file, each under a temporary name and then renamed.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from millrace.cluster.docker.containers import Container
from millrace.cluster.docker.engine import EngineError, ask, call, explain

#: The state folder of every container.
INSIDE = "/var/lib/millrace"
#: What tasks leave there for people and for the counts.
COLLECTED = ("ledger", "sample", "quality", "dbt")
#: For the owner's eyes alone, as in the volume.
_MODE = 0o600
#: The label that says which version's data a volume holds.
LAYOUT = "dev.millrace.layout"


def copy_secrets(container: Container, target: Path) -> None:
    """Copy the secrets from a container that mounts their volume; it need not be running.

    Raises:
        EngineError: the container has none.
    """
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    target.chmod(0o700)
    done = call("cp", f"{container.id}:{INSIDE}/secrets/.", "-")
    if done.returncode:
        raise explain(done.stderr.decode(errors="replace"), "cp")
    for name, content in _files(done.stdout):
        if len(name.parts) == 1:
            _write_secret(target / name, content)


def _write_secret(file: Path, content: bytes) -> None:
    with contextlib.suppress(FileNotFoundError):
        if file.read_bytes() == content and file.stat().st_mode & 0o777 == _MODE:
            return
    temporary = file.with_name(f"{file.name}.new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE), "wb") as new:
        new.write(content)
    temporary.replace(file)


def collect(container: Container, home: Path) -> int:
    """Copy what tasks wrote since the last time; returns how many files were new or had grown.

    A file that the host wrote later than the container keeps the host's content.
    """
    wanted = {
        name: modified_ns
        for name, modified_ns in _listing(container)
        if modified_ns > _modified_ns(home / name)
    }
    if not wanted:
        return 0
    names = "\0".join(map(str, wanted)).encode()
    command = ("exec", "--interactive", "--workdir", INSIDE, container.id)
    done = call(*command, "tar", "--create", "--null", "--files-from=-", data=names)
    # 1: a file grew while it was read. What was read is a beginning of it; the rest comes later.
    if done.returncode not in (0, 1):
        raise explain(done.stderr.decode(errors="replace"), "exec")
    copied = 0
    for name, content in _files(done.stdout):
        if name in wanted:
            _write(home / name, content, wanted[name])
            copied += 1
    return copied


def _listing(container: Container) -> Iterator[tuple[PurePosixPath, int]]:
    """Every file that may be collected, with the time of its last change in nanoseconds."""
    done = call(
        *("exec", "--workdir", INSIDE, container.id),
        *("find", *COLLECTED, "-type", "f", "-printf", r"%T@ %p\0"),
    )
    # A folder that is not there yet is no error, a container that can not be asked is one.
    if done.returncode and not done.stdout and b"No such file" not in done.stderr:
        raise explain(done.stderr.decode(errors="replace"), "exec")
    for entry in done.stdout.decode().split("\0"):
        modified, _, name = entry.partition(" ")
        path = PurePosixPath(name)
        if name and path.parts[0] in COLLECTED and ".." not in path.parts:
            seconds, _, fraction = modified.partition(".")
            yield path, int(seconds) * 10**9 + int(fraction[:9].ljust(9, "0"))


def _modified_ns(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return -1


def _files(archive: bytes) -> Iterator[tuple[PurePosixPath, bytes]]:
    """The regular files of a tar archive."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as entries:
        for entry in entries:
            content = entries.extractfile(entry) if entry.isfile() else None
            if content is not None:
                yield PurePosixPath(entry.name), content.read()


def _write(file: Path, content: bytes, modified_ns: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.new")
    temporary.write_bytes(content)
    os.utime(temporary, ns=(modified_ns, modified_ns))
    temporary.replace(file)


def volumes(project: str) -> dict[str, dict[str, Any]]:
    """The project's volumes by their name in the compose file, as `inspect` describes them."""
    label = "com.docker.compose"
    names = ask("volume", "ls", "--quiet", "--filter", f"label={label}.project={project}").split()
    if not names:
        return {}
    found = json.loads(ask("volume", "inspect", *names))
    named = ((each["Labels"].get(f"{label}.volume"), each) for each in found)
    return {name: each for name, each in named if name}


def put_ledger_aside(project: str, ledger: Path) -> Path | None:
    """Rename a ledger whose cluster is gone: its records are in no topic of the new one.

    So it is after `docker compose down --volumes`, which knows nothing of the state folder.
    """
    if volumes(project) or not ledger.is_dir() or not any(ledger.iterdir()):
        return None
    aside = ledger.with_name(f"{ledger.name}-until-{int(ledger.stat().st_mtime)}")
    return ledger.rename(aside)


def remove_volumes(project: str) -> None:
    """Delete every volume of a project, also one that its files do not name any more.

    Raises:
        EngineError: one is in use.
    """
    for volume in volumes(project).values():
        remove(volume["Name"])


def remove(volume: str) -> None:
    """Delete one volume; harmless where it is gone.

    Raises:
        EngineError: it is in use.
    """
    done = call("volume", "rm", "--force", volume)
    if done.returncode:
        raise EngineError(f"volume {volume}", "is still in use", f"docker ps -a -f volume={volume}")
