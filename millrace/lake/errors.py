"""A store or a catalog that does not answer."""

from __future__ import annotations

from millrace.errors import TransientError


class HdfsUnreachableError(TransientError):
    """The NameNode or a DataNode does not answer, or is not ready yet."""

    def __init__(self, url: str, cause: str) -> None:
        super().__init__(f"HDFS at {url}", cause, "make status")


class HdfsFullError(TransientError):
    """HDFS has no room for a file: a quota, or full disks. There may be room again."""

    def __init__(self, path: str, cause: str) -> None:
        super().__init__(
            path, f"HDFS has no room for it: {cause}", "df -h && bin/millrace maintain"
        )


class MetastoreUnreachableError(TransientError):
    """The metastore does not answer, or the connection broke: what was asked may be done."""

    def __init__(self, uri: str, cause: str) -> None:
        super().__init__(f"the metastore at {uri}", cause, "make status")
