"""Statements of maintenance on Trino, each to its end."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYetError

import trino
from trino.exceptions import Error as TrinoError
from trino.exceptions import TrinoQueryError

from millrace.errors import MillraceError, TransientError
from millrace.lake.commit import CommitRefusedError
from millrace.settings import Settings

#: What Trino calls a commit that lost.
LOST = "ICEBERG_COMMIT_ERROR"
#: After as long a silence one would ask whether it still runs.
TELL_EVERY_S = 5.0
SESSION = {
    # Row groups of 16 MB fit the smallest tier's memory of a query several times.
    "iceberg.parquet_writer_block_size": "16MB",
}


class TrinoEngine:
    """Runs statements as `millrace-maintain`, and tells of long ones."""

    def __init__(self, settings: Settings, tell: Callable[[str], None]) -> None:
        self._service = settings.trino
        self._tell = tell

    def execute(self, statement: str) -> None:
        """Run one statement to its end.

        Raises:
            CommitRefusedError: its commit lost against another one; nothing was changed.
            TransientError: Trino does not answer.
            MillraceError: Trino refuses it.
        """
        try:
            self._run(statement)
        except TrinoQueryError as error:
            if error.error_name == LOST:
                raise CommitRefusedError(str(error.message)) from error
            cause = f"{error.message} ({error.error_name})"
            raise MillraceError(statement, cause, "make logs SERVICE=trino") from None
        except (TrinoError, OSError) as error:
            address = f"Trino at {self._service.address}"
            cause = f"no answer ({type(error).__name__})"
            raise TransientError(address, cause, "make up") from None

    def _run(self, statement: str) -> None:
        connection = trino.dbapi.connect(  # type: ignore[no-untyped-call]
            host=self._service.host,
            port=self._service.port,
            user="millrace",
            source="millrace-maintain",
            session_properties=SESSION,
            max_attempts=1,
        )
        cursor = connection.cursor()
        with ThreadPoolExecutor(1) as pool:
            done: Future[object] = pool.submit(lambda: cursor.execute(statement).fetchall())
            seconds = 0.0
            while True:
                try:
                    done.result(TELL_EVERY_S)
                    return
                except NotYetError:
                    seconds += TELL_EVERY_S
                    self._tell(f"Trino is at it for {seconds:.0f} s")
                except BaseException:
                    cursor.cancel()
                    raise
