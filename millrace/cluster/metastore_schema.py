"""Drops what a killed first load of Hive's schema left in the metastore's database.

Hive's SQL runs in no transaction, so a load that was killed can not be gone on with. The launcher
calls this only when a load was begun and none was ever finished: no table is known to it yet. It
runs in the metastore's own image, which has a driver and no settings: the environment must do.
"""

from __future__ import annotations

import os
from pathlib import Path

DATABASE = USER = "metastore"


def drop_half_schema() -> None:
    """Drop everything in the metastore's database; the database itself stays."""
    password = (Path(os.environ["MILLRACE_SECRETS"]) / "metastore-db-password").read_text()
    if os.environ.get("MILLRACE_METASTORE__DATABASE", "postgres") == "mysql":
        _drop_in_mariadb(password)
    else:
        _drop_in_postgres(password)


def _drop_in_postgres(password: str) -> None:
    import psycopg  # noqa: PLC0415 - an image has the driver of its database alone

    with psycopg.connect(
        host=os.environ["MILLRACE_POSTGRES__HOST"],
        port=os.environ["MILLRACE_POSTGRES__PORT"],
        dbname=DATABASE,
        user=USER,
        password=password,
    ) as connection:
        connection.execute("DROP OWNED BY CURRENT_USER CASCADE")


def _drop_in_mariadb(password: str) -> None:
    import pymysql  # noqa: PLC0415

    connection = pymysql.connect(
        host=os.environ["MILLRACE_MARIADB__HOST"],
        port=int(os.environ["MILLRACE_MARIADB__PORT"]),
        user=USER,
        password=password,
    )
    with connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {DATABASE}")
        cursor.execute(f"CREATE DATABASE {DATABASE}")


if __name__ == "__main__":
    drop_half_schema()
