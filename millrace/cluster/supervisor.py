"""Talks to process-compose: starts it detached, reads the state of its processes, stops it.

Its interface is a Unix socket in the state folder; it opens no port.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import shlex
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from millrace.cluster.states import ProcessState
from millrace.errors import MillraceError
from millrace.settings import Settings

#: `sun_path` of a Unix socket holds 107 bytes.
_LONGEST_SOCKET_PATH = 107
_START_SECONDS = 10
#: What a service may take from the caller's shell. Anything else would make a cluster depend on
#: where it was started: PYTHONPATH, JAVA_TOOL_OPTIONS, another Airflow's settings.
_INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR")


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Supervisor:
    """The supervisor of one state folder."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.folder = settings.home / "supervisor"
        self.pid_file = self.folder / "pid"

    @property
    def socket(self) -> Path:
        """The socket, outside the state folder when that is too deep for one."""
        path = self.folder / "socket"
        if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
            return path
        name = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"millrace-{os.getuid()}-{name}.socket"

    def start(self, document: Mapping[str, Any]) -> None:
        """Start process-compose on a process file, detached from this terminal.

        Raises:
            MillraceError: it did not answer in time.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        process_file = self.folder / "process-compose.yaml"
        # It holds the settings, also those that are a secret of the user's (MILLRACE_NOTIFY__URL).
        process_file.touch(mode=0o600)
        process_file.chmod(0o600)
        process_file.write_text(yaml.safe_dump(dict(document), sort_keys=False))
        self.socket.unlink(missing_ok=True)
        log = self._settings.home / "logs" / "supervisor.out"
        log.parent.mkdir(parents=True, exist_ok=True)
        command: list[str | Path] = [
            self._settings.dist / "process-compose" / "bin" / "process-compose",
            *("--config", process_file, "--unix-socket", self.socket, "--tui=false"),
            *("--disable-dotenv", "--keep-project", "up"),
        ]
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        # Every line of every service would be repeated on its output; the services' logs have them.
        with log.open("ab") as errors:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                cwd=self.folder,
                env=environment | {"MILLRACE_SUPERVISOR": str(self._settings.home)},
                start_new_session=True,
            )
        self.pid_file.write_text(str(process.pid))
        deadline = time.monotonic() + _START_SECONDS
        while not self.is_running():
            if process.poll() is not None or time.monotonic() > deadline:
                raise MillraceError(
                    "the supervisor", "did not start", f"cat {shlex.quote(str(log))}"
                )
            time.sleep(0.05)

    def is_running(self) -> bool:
        """Whether it answers."""
        try:
            self._request("GET", "/live", timeout=2)
        except OSError:
            return False
        return True

    def processes(self) -> dict[str, ProcessState]:
        """Every service by name, sorted; empty when the supervisor is not running."""
        try:
            answer = self._request("GET", "/processes")
        except OSError:
            return {}
        states = (
            ProcessState(
                name=row["name"],
                status=row["status"],
                health=row["is_ready"],
                restarts=row["restarts"],
                exit_code=row["exit_code"],
                pid=row["pid"] if row["is_running"] else 0,
                has_probe=row["has_ready_probe"],
            )
            for row in answer["data"] or []
        )
        return {state.name: state for state in sorted(states, key=lambda state: state.name)}

    def stop_service(self, name: str) -> None:
        """Stop one service and leave it stopped; harmless when it is not running."""
        with contextlib.suppress(MillraceError, OSError):
            self._request("PATCH", f"/process/stop/{name}")

    def start_service(self, name: str) -> None:
        """Start one service that is not running; harmless when it is."""
        with contextlib.suppress(MillraceError, OSError):
            self._request("POST", f"/process/start/{name}")

    def shut_down(self, timeout: float) -> bool:
        """Stop every service in reverse order of dependence, then the supervisor itself."""
        with contextlib.suppress(MillraceError, OSError):
            self._request("POST", "/project/stop", timeout=timeout)
        deadline = time.monotonic() + timeout
        while self.is_running():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        self.pid_file.unlink(missing_ok=True)
        return True

    def _request(self, method: str, path: str, timeout: float = 15) -> Any:
        connection = _SocketConnection(self.socket, timeout)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            body = response.read()
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()
        if response.status != http.client.OK:
            said = body.decode(errors="replace")
            raise MillraceError("the supervisor", said, "bin/millrace status")
        return json.loads(body)
