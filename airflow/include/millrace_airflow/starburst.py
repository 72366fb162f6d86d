"""SQL on Trino or Starburst, which speak the same protocol."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException

from millrace_airflow.defaults import TRINO_POOL

#: Rows of the last statement that are logged and kept as the task's result.
KEPT_ROWS = 100


class StarburstOperator(BaseOperator):
    """Run statements one after another on one connection; the last one's rows are the result.

    Args:
        sql: one statement or several, templated; none ends with a semicolon.
        at_least_rows: fail where the last statement gives fewer rows.
        check: fail where a value in the last statement's first row is false, zero or null.
        conn_id: the Airflow connection.
    """

    template_fields: Sequence[str] = ("sql",)
    template_ext: Sequence[str] = (".sql",)
    ui_color = "#fae8ff"

    def __init__(
        self,
        *,
        sql: str | Sequence[str],
        at_least_rows: int = 0,
        check: bool = False,
        conn_id: str = "trino_default",
        pool: str = TRINO_POOL,
        **kwargs: Any,
    ) -> None:
        super().__init__(pool=pool, **kwargs)
        self.sql = sql
        self.at_least_rows = at_least_rows
        self.check = check
        self.conn_id = conn_id
        self._cursor: Any = None

    @property
    def statements(self) -> list[str]:
        """The statements, in order."""
        return [self.sql] if isinstance(self.sql, str) else list(self.sql)

    def execute(self, context: Any) -> list[list[Any]]:
        """Run the statements and apply the checks to the last one's rows."""
        # Every start of a task parses the DAG; this import alone would be half of that.
        from airflow.providers.trino.hooks.trino import TrinoHook  # noqa: PLC0415

        rows: list[list[Any]] = []
        connection = TrinoHook(trino_conn_id=self.conn_id).get_conn()
        try:
            self._cursor = connection.cursor()
            for statement in self.statements:
                rows = self._run(statement)
        finally:
            connection.close()
        self._check(rows)
        return [[_plain(value) for value in row] for row in rows[:KEPT_ROWS]]

    def _run(self, statement: str) -> list[list[Any]]:
        started = time.monotonic()
        self.log.info("%s", statement)
        self._cursor.execute(statement)
        rows = [list(row) for row in self._cursor.fetchall()]
        self.log.info("%d rows in %.1f s", len(rows), time.monotonic() - started)
        for row in rows[:KEPT_ROWS]:
            self.log.info("  %s", "  ".join(map(str, row)))
        return rows

    def _check(self, rows: list[list[Any]]) -> None:
        last = self.statements[-1]
        if len(rows) < self.at_least_rows:
            raise AirflowException(f"{len(rows)} rows, at least {self.at_least_rows}: {last}")
        if self.check and not (rows and all(rows[0])):
            raise AirflowException(f"the check failed with {rows[:1]}: {last}")

    def on_kill(self) -> None:
        """Cancel the running statement on the server."""
        if self._cursor is not None:
            self._cursor.cancel()


def _plain(value: Any) -> Any:
    """A value that XCom's JSON can hold."""
    return value if isinstance(value, bool | int | float | str | None) else str(value)
