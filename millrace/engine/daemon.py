"""The private daemon: started with folders of its own, found again and stopped by its pid file."""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from millrace.dist.cache import cache_folder
from millrace.errors import MillraceError

Say = Callable[[str], None]
#: Debian's names: the engine with its client, what it filters packets by, what makes a base image.
PACKAGES = {"dockerd": "docker.io", "iptables": "iptables", "debootstrap": "debootstrap"}
#: One second on an idle machine.
START_SECONDS = 60.0
#: It stops its containers first, ten seconds each at most.
STOP_SECONDS = 120.0
_POLL_SECONDS = 0.2
_LOG_LINES = 8
#: The longest path of a socket that Linux takes.
_SOCKET_PATH = 107


@dataclass(frozen=True)
class Place:
    """Where the private engine keeps everything."""

    folder: Path

    @property
    def socket(self) -> Path:
        """Where it answers."""
        return self.folder / "docker.sock"

    @property
    def address(self) -> str:
        """The value of DOCKER_HOST."""
        return f"unix://{self.socket}"

    @property
    def pid_file(self) -> Path:
        """Written and removed by the daemon."""
        return self.folder / "docker.pid"

    @property
    def log(self) -> Path:
        """What the daemon says."""
        return self.folder / "dockerd.log"

    @property
    def config(self) -> Path:
        """The client's settings and plugins: the value of DOCKER_CONFIG."""
        return self.folder / "config"


def default_place() -> Place:
    """The user's own engine."""
    return Place(cache_folder() / "engine")


def may_install() -> bool:
    """Whether this user can install Debian's packages and run a daemon."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install_packages(say: Say) -> None:
    """Install what is missing of the packages.

    Raises:
        MillraceError: the package manager failed.
    """
    missing = [name for program, name in PACKAGES.items() if shutil.which(program) is None]
    if not missing:
        return
    say(f"installing {', '.join(missing)} from Debian's packages")
    install = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    for command in (["apt-get", "update", "-q"], install):
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
            remedy = f"apt-get update && {shlex.join(install)}"
            raise MillraceError(f"packages {', '.join(missing)}", cause, remedy)


def running(place: Place) -> int | None:
    """The pid of the daemon of this place, if it lives."""
    try:
        pid = int(place.pid_file.read_text())
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except (OSError, ValueError):
        return None
    # The pid of a daemon that was killed may be another program's by now.
    return pid if name == "dockerd" else None


def start(place: Place, say: Say) -> bool:
    """Start the daemon and wait until it answers; False where it ran already.

    Raises:
        MillraceError: it can not be started.
    """
    place.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if len(os.fsencode(place.socket)) > _SOCKET_PATH:
        cause = f"the path of a socket has at most {_SOCKET_PATH} bytes"
        raise MillraceError(str(place.socket), cause, "export XDG_CACHE_HOME=/var/cache")
    with _alone(place):
        if running(place):
            _wait(place, None)
            return False
        say(f"starting a private engine: {place.folder}")
        # Of a daemon that was killed; a new one refuses to start beside it.
        place.pid_file.unlink(missing_ok=True)
        with place.log.open("w") as log:
            daemon = subprocess.Popen(
                _command(place),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _wait(place, daemon)
        return True


def _command(place: Place) -> list[str]:
    return [
        shutil.which("dockerd") or "dockerd",
        *("--host", place.address),
        *("--data-root", str(place.folder / "data")),
        *("--exec-root", str(place.folder / "run")),
        *("--pidfile", str(place.pid_file)),
        # What a compose file publishes without an address must not face the network either.
        *("--ip", "127.0.0.1"),
    ]


def stop(place: Place, say: Say) -> None:
    """Stop the daemon; its containers stop with it, its images stay.

    Raises:
        MillraceError: it does not stop.
    """
    with _alone(place):
        pid = running(place)
        if pid is None:
            return
        say("stopping the private engine")
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while running(place):
            if time.monotonic() > deadline:
                cause = f"process {pid} has not ended after {STOP_SECONDS:.0f} s"
                raise MillraceError("the private engine", cause, f"cat {_quoted(place.log)}")
            _reap(pid)
            time.sleep(_POLL_SECONDS)


def _wait(place: Place, daemon: subprocess.Popen[bytes] | None) -> None:
    deadline = time.monotonic() + START_SECONDS
    command = ["docker", "--host", place.address, "info"]
    while subprocess.run(command, capture_output=True, check=False).returncode:
        ended = daemon is not None and daemon.poll() is not None
        if ended or time.monotonic() > deadline:
            if daemon is not None:
                daemon.terminate()
            lines = place.log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
            shown = "".join(f"\n    {line[:300]}" for line in lines)
            what = "ended" if ended else f"does not answer after {START_SECONDS:.0f} s"
            cause = f"its daemon {what}; the last lines of its log:{shown}"
            raise MillraceError("the private engine", cause, f"cat {_quoted(place.log)}")
        time.sleep(_POLL_SECONDS)


def _reap(pid: int) -> None:
    """Take note of the end of a child of this process, else it stays in the process list."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


@contextmanager
def _alone(place: Place) -> Iterator[None]:
    place.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (place.folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
