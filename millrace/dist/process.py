"""Run the client of a registry: follow what it prints, keep it in a log, explain its failure."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from millrace.dist.errors import MissingToolError, explain
from millrace.errors import MillraceError

#: Lines of a failed program in which its reason is looked for.
TAIL = 60
GRACE_SECONDS = 5
#: For whom, the program, the end of its output, and the log that has all of it.
Explain = Callable[[str, str, Sequence[str], Path], MillraceError]


@dataclass
class Runner:
    """Starts programs, and stops those still running when the set-up is given up."""

    logs: Path
    _running: set[subprocess.Popen[str]] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopped: bool = False

    def run(
        self,
        unit: str,
        command: Sequence[str],
        on_line: Callable[[str], None] = lambda line: None,
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        keep: Sequence[int] = (),
        explain: Explain = explain,
        leaves: Path | None = None,
    ) -> None:
        """Run a program to its end.

        Args:
            unit: for whom; names the log and the error.
            command: the program by its full path, and its arguments.
            on_line: called with each line of its output.
            environment: added to this process's own.
            folder: its working folder.
            keep: descriptors that it inherits.
            explain: makes the error of its failure, from the end of its output.
            leaves: a file without which it failed as well.

        Raises:
            MillraceError: it failed; the error says why as far as its output does.
        """
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / f"{unit}.log"
        tail: deque[str] = deque(maxlen=TAIL)
        with log.open("a") as record:
            record.write(f"$ {' '.join(command)}\n")
            process = self._start(command, environment or {}, folder, keep)
            try:
                assert process.stdout is not None
                for line in process.stdout:
                    record.write(line)
                    tail.append(line.rstrip())
                    on_line(line.rstrip())
                code = process.wait()
            finally:
                self._end(process)
        if code or (leaves and not leaves.is_file()):
            raise explain(unit, Path(command[0]).name, tail, log)

    def stop(self) -> None:
        """Stop every program and start no other."""
        with self._lock:
            self._stopped = True
            running = list(self._running)
        for process in running:
            process.terminate()
        for process in running:
            try:
                process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()

    def _start(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: Path | None,
        keep: Sequence[int],
    ) -> subprocess.Popen[str]:
        with self._lock:
            if self._stopped:
                raise KeyboardInterrupt
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                cwd=folder,
                pass_fds=tuple(keep),
                # C: the reasons of a failure are looked for in English.
                env={**os.environ, **environment, "LC_ALL": "C.UTF-8", "LANGUAGE": "C"},
            )
            self._running.add(process)
            return process

    def _end(self, process: subprocess.Popen[str]) -> None:
        if process.poll() is None:
            process.terminate()
        if process.stdout is not None:
            process.stdout.close()
        process.wait()
        with self._lock:
            self._running.discard(process)


def find_tool(name: str, why: str, remedy: str) -> str:
    """The full path of a program that the machine has to bring."""
    path = shutil.which(name)
    if path is None:
        raise MissingToolError(name, f"it is not on your PATH, and {why}", remedy)
    return path
