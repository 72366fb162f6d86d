"""A task that runs the project's command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from millrace_airflow.process import Process

EXECUTABLE = "$MILLRACE_ROOT/bin/millrace"
#: Exit code of a check that has found bad data: millrace.errors.BadDataError.
BAD_DATA = 4


class MillraceOperator(BaseOperator):
    """Run `millrace ARGS`; an error of the command, its cause and its remedy, is the task's.

    The standard BashOperator keeps only the last line of the output, which is the remedy without
    the error that it mends. A check that has found bad data is not tried again.

    Args:
        arguments: templated words of the command line.
        only_if: a template; where it renders to `False` the task is skipped.
    """

    template_fields: Sequence[str] = ("arguments", "only_if")
    ui_color = "#dbeafe"

    def __init__(self, *, arguments: Sequence[str], only_if: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.arguments = list(arguments)
        self.only_if = only_if
        self._process = Process()

    @property
    def command(self) -> list[str]:
        """The command line, its machine-dependent part still a variable."""
        return [EXECUTABLE, *self.arguments]

    def execute(self, context: Any) -> None:
        """Run the command to its end."""
        if self.only_if == "False":
            raise AirflowSkipException("switched off by the parameters of this run")
        self._process.take(context["ti"])
        if self._process.run(self.command, accept=(0, BAD_DATA)) == BAD_DATA:
            raise AirflowFailException(str(self._process.failure(self.command)))

    def on_kill(self) -> None:
        """End the command with the task."""
        self._process.stop()
