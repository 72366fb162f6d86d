"""Run one executable for a task: its lines in the task's log, its last lines in the error."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from airflow.sdk.exceptions import AirflowException

from millrace_airflow.claim import Claim

log = logging.getLogger(__name__)

#: Enough for an error of the command line (thing, cause, remedy) or the end of a traceback.
TAIL_LINES = 12
#: How long a command may tidy up after SIGTERM before it is killed.
GRACE_SECONDS = 10


def log_line(line: str) -> str:
    """Log a line as it is."""
    log.info("%s", line)
    return line


class Process:
    """One child at a time, in a process group of its own, which dies with the task.

    The child gets SIGKILL when the task's process dies, even by `kill -9`: an orphan that goes on
    submitting would run beside the retry that takes its place. Where the task's process is not dead
    but frozen, the retry ends the child by the task's claim.
    """

    def __init__(self) -> None:
        #: Set by the operator before it runs anything.
        self.claim: Claim | None = None
        self._child: subprocess.Popen[str] | None = None
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)

    def run(
        self,
        command: Sequence[str],
        on_line: Callable[[str], str] = log_line,
        accept: Sequence[int] = (0,),
    ) -> int:
        """Run `command`, `$VARIABLES` in it expanded, and give its exit code.

        `on_line` takes each line of the output and returns what of it a reader of the error is to
        see, possibly nothing.

        Raises:
            AirflowException: the exit code is not in `accept`; the message ends with the last
                lines of the output.
            SupersededError: a later try of the task has begun.
        """
        argv = ["setpriv", "--pdeathsig", "KILL", *map(os.path.expandvars, command)]
        self._tail.clear()

        def start() -> subprocess.Popen[str]:
            return subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )

        with self.claim.launch(start) if self.claim else start() as child:
            self._child = child
            assert child.stdout is not None
            for line in child.stdout:
                shown = on_line(line.rstrip())
                if shown:
                    self._tail.append(shown)
        if child.returncode not in accept:
            raise self.failure(command)
        return child.returncode

    def take(self, instance: Any) -> None:
        """Work for this try from now on; what earlier ones left running is ended.

        Raises:
            SupersededError: a later try has begun.
        """
        self.claim = Claim.of(instance)
        self.claim.take()

    @property
    def is_superseded(self) -> bool:
        """Whether a later try has begun: then nothing here is this one's to end."""
        return self.claim is not None and not self.claim.is_mine()

    def failure(self, command: Sequence[str]) -> AirflowException:
        """The error of the command that ran last, with the end of its output."""
        code = self._child.returncode if self._child else "no process"
        return AirflowException("\n".join([f"{command[0]} ended with {code}:", *self._tail]))

    def stop(self) -> None:
        """End the child's process group: SIGTERM, then SIGKILL."""
        child = self._child
        if child is None or child.poll() is not None:
            return
        os.killpg(child.pid, signal.SIGTERM)
        try:
            child.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
