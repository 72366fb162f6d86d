"""Drops what a killed first load of Hive's schema left in the metastore's database.

Hive's SQL runs in no transaction, so a load that was killed can not be gone on with. The launcher
calls this only when a load was begun and none was ever finished: no table is known to it yet.
"""

from __future__ import annotations

import psycopg

from millrace.settings import Settings, load


def drop_half_schema(settings: Settings) -> None:
    """Drop everything that the role `metastore` owns in its database, which itself stays."""
    with psycopg.connect(
        host=settings.postgres.host,
        port=settings.postgres.port,
        dbname="metastore",
        user="metastore",
        password=settings.secret("metastore-db-password"),
    ) as connection:
        connection.execute("DROP OWNED BY CURRENT_USER CASCADE")


if __name__ == "__main__":
    drop_half_schema(load())
