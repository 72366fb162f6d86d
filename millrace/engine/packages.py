"""What the private engine consists of, from Debian's packages; nothing of the user's is removed.

The packages stay installed. Their services do not: where systemd started them, they are stopped
and disabled again, so that the machine has the engine that the user chose, or none.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from millrace.errors import MillraceError

Say = Callable[[str], None]
#: Debian's names: the engine with its client, what it filters packets by, what makes a base image.
PACKAGES = {"dockerd": "docker.io", "iptables": "iptables", "debootstrap": "debootstrap"}
#: What Debian signs its packages with; Ubuntu has it as a package.
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_SYSTEMD = Path("/run/systemd/system")
_LOG_LINES = 8


def may_install() -> bool:
    """Whether this user can install Debian's packages and run a daemon."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install_packages(say: Say) -> None:
    """Install what is missing of the packages.

    Raises:
        MillraceError: the package manager failed, or would remove a package.
    """
    lacking = [program for program in PACKAGES if shutil.which(program) is None]
    missing = [PACKAGES[program] for program in lacking]
    if "debootstrap" in missing and not KEYRING.exists():
        missing.append("debian-archive-keyring")
    if not missing:
        return
    say(f"installing {', '.join(missing)} from Debian's packages; they stay installed")
    # docker.io takes the place of other engines: of those a user has chosen, it must not.
    install = ["apt-get", "install", "-y", "--no-install-recommends", "--no-remove", *missing]
    services = ["docker.service", "docker.socket"]
    if shutil.which("containerd") is None:
        services.append("containerd.service")
    _run(["apt-get", "update", "-q"], missing)
    _run(install, missing)
    if "dockerd" in lacking and _SYSTEMD.exists():
        _run(["systemctl", "disable", "--now", *services], missing)


def _run(command: list[str], packages: list[str]) -> None:
    done = subprocess.run(
        command,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()[-_LOG_LINES:]
        cause = f"`{shlex.join(command[:2])}` failed: {' | '.join(lines)}"
        raise MillraceError(f"packages {', '.join(packages)}", cause, shlex.join(command))
