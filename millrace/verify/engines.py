"""L6: Trino and Spark find the same rows as PyIceberg, in the same snapshot."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import trino
from trino.exceptions import TrinoQueryError

from millrace.settings import Settings
from millrace.verify.checksum import SPARK, TRINO, Asked, Engine
from millrace.verify.errors import SourceAwayError
from millrace.verify.report import Finding

TRINO_THREADS = 4
#: A JVM, a session and a query a table; a loaded machine takes minutes.
SPARK_TIMEOUT_S = 600.0
SPARK_MEMORY = "640m"
#: What the line of the answers begins with, among others on the same stream.
ANSWERS = "millrace-checksums "
REMEDIES = {
    "trino": "make logs SERVICE=trino",
    "spark": "bin/millrace verify --engines pyiceberg,spark  # its log is shown",
}
SHOWN_LINES = 15

Answer = tuple[int, int] | str


def ask_trino(settings: Settings) -> Engine:
    """Trino, a query a table."""

    def ask(asked: Sequence[Asked]) -> list[Answer]:
        with ThreadPoolExecutor(TRINO_THREADS) as pool:
            return list(pool.map(one, asked))

    def one(asked: Asked) -> Answer:
        connection = trino.dbapi.connect(  # type: ignore[no-untyped-call]
            host=settings.trino.host,
            port=settings.trino.port,
            user="millrace",
            source="millrace-verify",
            catalog="iceberg",
        )
        try:
            cursor = connection.cursor()
            cursor.execute(TRINO.query(asked))
            ((count, total),) = cursor.fetchall()
        except TrinoQueryError as error:
            return f"{error.message} ({error.error_name})"
        except Exception as error:  # trino and requests raise unrelated classes
            address = f"Trino at {settings.trino.address}"
            raise SourceAwayError(address, f"no answer: {error}") from error
        return int(count), int(total)

    return ask


def ask_spark(settings: Settings) -> Engine:
    """Spark in local mode, in a process of its own that answers all at once."""
    # Containers mount the code below the root, which need not be where this file is.
    script = settings.root / "millrace" / "verify" / "spark_checksum.py"

    def ask(asked: Sequence[Asked]) -> list[Answer]:
        command = [
            str(settings.root / "scripts" / "spark-submit"),
            *("--master", "local[1]", "--conf", "spark.eventLog.enabled=false"),
            str(script),
            json.dumps([SPARK.query(each) for each in asked]),
        ]
        environment = {"SPARK_DRIVER_MEMORY": SPARK_MEMORY, **os.environ}
        done = subprocess.run(
            command,
            cwd=settings.root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=SPARK_TIMEOUT_S,
            check=False,
        )
        for line in done.stdout.splitlines():
            if line.startswith(ANSWERS):
                found = json.loads(line.removeprefix(ANSWERS))
                return [each if isinstance(each, str) else (each[0], each[1]) for each in found]
        last = "\n".join(done.stderr.splitlines()[-SHOWN_LINES:])
        raise SourceAwayError("Spark in local mode", f"it gave no answer:\n{last}")

    return ask


def compare(asked: Sequence[Asked], name: str, engine: Engine) -> Iterator[Finding]:
    """What an engine says otherwise than PyIceberg."""
    # A table without a snapshot has nothing to be asked for.
    wanted = [each for each in asked if each.snapshot is not None]
    answers = engine(wanted) if wanted else []
    for each, answer in zip(wanted, answers, strict=True):
        if isinstance(answer, str):
            text = f"{name} can not read {each.table}: {answer}"
        elif answer != (each.sum.count, each.sum.total):
            text = (
                f"{name} finds {answer[0]:,} rows with checksum {answer[1]} in {each.table},"
                f" PyIceberg {each.sum.count:,} with {each.sum.total}"
            )
        else:
            continue
        yield Finding("L6", each.dataset, text, REMEDIES[name])
