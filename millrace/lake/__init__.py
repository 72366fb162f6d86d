"""The lake as Python sees it: one catalog named `iceberg`, on HDFS and on the object store.

`catalog()` is the door. Its tables read and write `hdfs://millrace/...` through WebHDFS and
`s3://...` through s3fs, so no JVM and no native library is needed. Commits that must be compare
and swap go through `millrace.lake.commit`.
"""

from __future__ import annotations

from pyiceberg.io import (
    PY_IO_IMPL,
    S3_ACCESS_KEY_ID,
    S3_ENDPOINT,
    S3_FORCE_VIRTUAL_ADDRESSING,
    S3_REGION,
    S3_SECRET_ACCESS_KEY,
)

from millrace.lake.hive import LakeCatalog
from millrace.lake.io import HDFS_REDIRECTS, HDFS_URL, HDFS_USER
from millrace.settings import Settings, load

CATALOG = "iceberg"
FILE_IO = "millrace.lake.io.LakeFileIO"


def io_properties(settings: Settings) -> dict[str, str]:
    """What `LakeFileIO` needs to reach both stores; the keys are read from the secrets."""
    return {
        PY_IO_IMPL: FILE_IO,
        HDFS_URL: settings.namenode.web_url,
        HDFS_USER: "millrace",
        HDFS_REDIRECTS: settings.datanode.redirects,
        S3_ENDPOINT: settings.objectstore.url,
        S3_REGION: settings.objectstore.region,
        S3_ACCESS_KEY_ID: settings.secret("objectstore-access-key"),
        S3_SECRET_ACCESS_KEY: settings.secret("objectstore-secret-key"),
        S3_FORCE_VIRTUAL_ADDRESSING: "false",
    }


def catalog(settings: Settings | None = None) -> LakeCatalog:
    """The metastore's catalog; it may be shared by threads, and opens no connection yet."""
    settings = settings or load()
    return LakeCatalog(CATALOG, uri=settings.metastore.uri, **io_properties(settings))


__all__ = ["CATALOG", "FILE_IO", "LakeCatalog", "catalog", "io_properties"]
