"""A command whose folder lies on a file system of a few kilobytes, without being root.

In a user and mount namespace of its own the command sees a small tmpfs where the folder is; nobody
else does. What it wrote is copied out when it ends, however it ends. A kernel that gives users no
namespaces limits the size of the command's files instead: another error number, the same place.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

#: SIGXFSZ would end a process that ignores nothing; Python ignores it and sees EFBIG.
_MOUNTED = """
mount -t tmpfs -o "size=$1k" millrace-chaos "$2" || exit 125
"${@:4}"
code=$?
cp -- "$2"/* "$3"
exit $code
"""
_NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")


@cache
def has_namespaces() -> bool:
    """Whether this user may mount a file system in a namespace of its own."""
    probe = [*_NAMESPACE, "mount", "-t", "tmpfs", "millrace-chaos", "/mnt"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def on_small_disk(command: Sequence[str], folder: Path, copies: Path, kibibytes: int) -> list[str]:
    """The command with a small disk under its folder.

    Args:
        command: what is run.
        folder: where the small disk is; it is empty for the command.
        copies: where the files that the command wrote are copied to at its end.
        kibibytes: the size of the disk.
    """
    words = (str(kibibytes), str(folder), str(copies), *command)
    if has_namespaces():
        return [*_NAMESPACE, "bash", "-c", _MOUNTED, "small-disk", *words]
    limit = f"--fsize={kibibytes * 1024}"
    return ["prlimit", limit, *command]
