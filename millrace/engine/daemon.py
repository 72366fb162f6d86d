"""The private daemon: started with folders of its own, found again and stopped by its pid file.

Images, containers, volumes, settings and containerd's namespace are its own. The bridge `docker0`
and Docker's packet filter chains exist once in a network, so it refuses to start beside another
daemon there; both stay after it has stopped, until the machine starts anew.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from millrace.dist.cache import cache_folder
from millrace.engine.packages import Say
from millrace.errors import MillraceError

#: One second on an idle machine.
START_SECONDS = 60.0
#: It stops its containers first, ten seconds each at most.
STOP_SECONDS = 120.0
#: Bounds BuildKit's cache; without, a day of builds made 28 GB of it.
CONFIG = """{
  "builder": {"gc": {"enabled": true, "defaultKeepStorage": "10GB"}}
}
"""
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
    def data_lock(self) -> Path:
        """Locked by the daemon while it lives, whatever namespace of processes it is in."""
        return self.folder / "data.lock"

    @property
    def log(self) -> Path:
        """What the daemon says."""
        return self.folder / "dockerd.log"

    @property
    def config(self) -> Path:
        """The client's settings and plugins: the value of DOCKER_CONFIG."""
        return self.folder / "config"

    @property
    def daemon_config(self) -> Path:
        """The daemon's settings; those of the machine's own engine are not read."""
        return self.folder / "daemon.json"


def default_place() -> Place:
    """The user's own engine."""
    return Place(cache_folder() / "engine")


def running(place: Place) -> int | None:
    """The pid of the daemon of this place, if it lives."""
    try:
        pid = int(place.pid_file.read_text())
    except (OSError, ValueError):
        return None
    # The pid of a daemon that was killed may be another program's by now, even another daemon's.
    return pid if f"\0--pidfile\0{place.pid_file}\0" in _arguments(pid) else None


def refuse_beside_another() -> None:
    """Refuse where a daemon has the bridge and the packet filter of this network.

    Raises:
        MillraceError: there is one; it may be too busy to answer, or the client looks elsewhere.
    """
    network = os.stat("/proc/self/ns/net").st_ino
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name = (folder / "comm").read_text().strip()
            if name != "dockerd" or (folder / "ns/net").stat().st_ino != network:
                continue
        except OSError:
            # It has ended since.
            continue
        cause = f"process {folder.name} is another engine, which has the bridge docker0"
        remedy = f"export DOCKER_HOST=...  # its address; `ps -fp {folder.name}` tells, or stop it"
        raise MillraceError("the private engine", cause, remedy)


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
        with place.data_lock.open("w") as lock:
            _refuse_shared(place, lock.fileno())
        say(f"starting a private engine: {place.folder} (its build cache keeps to 10 GB)")
        # Of a daemon that was killed; a new one refuses to start beside either, and the numbers
        # may be other programs' by now: this folder outlives a boot.
        for stale in (place.pid_file, place.folder / "run/containerd/containerd.pid"):
            stale.unlink(missing_ok=True)
        place.daemon_config.write_text(CONFIG)
        daemon = _spawn(place)
        try:
            _wait(place, daemon)
        except BaseException:
            daemon.terminate()
            raise
        return True


def _spawn(place: Place) -> subprocess.Popen[bytes]:
    with place.log.open("w") as log, place.data_lock.open("w") as lock:
        held = lock.fileno()
        # A POSIX lock stays with the process through exec and does not go on to its children:
        # those of a killed daemon's containers must not keep a new one from starting. No other
        # thread is in this process, so code may run between fork and exec.
        return subprocess.Popen(
            _command(place),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(held,),
            preexec_fn=lambda: fcntl.lockf(held, fcntl.LOCK_EX | fcntl.LOCK_NB),  # noqa: PLW1509
        )


def _command(place: Place) -> list[str]:
    return [
        shutil.which("dockerd") or "dockerd",
        *("--config-file", str(place.daemon_config)),
        *("--host", place.address),
        *("--data-root", str(place.folder / "data")),
        *("--exec-root", str(place.folder / "run")),
        *("--pidfile", str(place.pid_file)),
        # Where the machine runs containerd, the daemon uses it.
        *("--containerd-namespace", "millrace"),
        *("--containerd-plugins-namespace", "millrace-plugins"),
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
        say("stopping the private engine; its images stay, and the bridge docker0")
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while running(place):
            if time.monotonic() > deadline:
                cause = f"process {pid} has not ended after {STOP_SECONDS:.0f} s"
                raise MillraceError("the private engine", cause, f"cat {_quoted(place.log)}")
            time.sleep(_POLL_SECONDS)
        # Else it stays in the process list until this process ends.
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def _refuse_shared(place: Place, lock: int) -> None:
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        cause = f"a daemon that is not seen from here, as of another container, uses {place.folder}"
        remedy = "export XDG_CACHE_HOME=...  # another folder, or stop it where it was started"
        raise MillraceError("the private engine", cause, remedy) from None


def _wait(place: Place, daemon: subprocess.Popen[bytes] | None) -> None:
    deadline = time.monotonic() + START_SECONDS
    command = ["docker", "--host", place.address, "info"]
    while subprocess.run(command, capture_output=True, check=False).returncode:
        ended = daemon is not None and daemon.poll() is not None
        if ended or time.monotonic() > deadline:
            lines = place.log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
            shown = "".join(f"\n    {line[:300]}" for line in lines)
            what = "ended" if ended else f"does not answer after {START_SECONDS:.0f} s"
            cause = f"its daemon {what}; the last lines of its log:{shown}"
            raise MillraceError("the private engine", cause, f"cat {_quoted(place.log)}")
        time.sleep(_POLL_SECONDS)


def _arguments(pid: int) -> str:
    """The command line of a process, a NUL after each word; empty where there is none."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


@contextmanager
def _alone(place: Place) -> Iterator[None]:
    place.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (place.folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
