"""The catalog's pointer and the stores' files, for reading only.

PyIceberg's own Hive catalog gives the pointer; HDFS is asked through WebHDFS and the object store
through s3fs. Nothing of `millrace.lake` is used: what wrote the tables does not judge them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from fsspec.implementations.webhdfs import WebHDFile, WebHDFS
from pyiceberg.catalog import Catalog
from pyiceberg.catalog.hive import HiveCatalog
from pyiceberg.io import (
    PY_IO_IMPL,
    S3_ACCESS_KEY_ID,
    S3_ENDPOINT,
    S3_FORCE_VIRTUAL_ADDRESSING,
    S3_REGION,
    S3_SECRET_ACCESS_KEY,
)
from pyiceberg.io.fsspec import FsspecFileIO
from pyiceberg.typedef import Properties
from requests.adapters import HTTPAdapter

from millrace.settings import Settings

_URL = "millrace.verify.hdfs-url"
_REDIRECTS = "millrace.verify.hdfs-redirects"
_TIMEOUT_S = (5.0, 60.0)
#: One request for most files of a stream; a large one is read in pieces of this.
_BLOCK_BYTES = 8 * 1024 * 1024


def open_catalog(settings: Settings) -> Catalog:
    """The catalog `iceberg` as a reader sees it."""
    return HiveCatalog(
        "iceberg",
        **{
            "uri": settings.metastore.uri,
            PY_IO_IMPL: f"{__name__}.ReadingIO",
            _URL: settings.namenode.web_url,
            _REDIRECTS: settings.datanode.redirects,
            S3_ENDPOINT: settings.objectstore.url,
            S3_REGION: settings.objectstore.region,
            S3_ACCESS_KEY_ID: settings.secret("objectstore-access-key"),
            S3_SECRET_ACCESS_KEY: settings.secret("objectstore-secret-key"),
            S3_FORCE_VIRTUAL_ADDRESSING: "false",
        },
    )


class ReadingIO(FsspecFileIO):
    """Files on `hdfs://millrace` and `s3://`."""

    def __init__(self, properties: Properties) -> None:
        super().__init__(properties)
        self._scheme_to_fs["hdfs"] = _hdfs


def _hdfs(properties: Properties) -> WebHDFS:
    address = urlsplit(properties[_URL])
    return _Hdfs(
        address.hostname or "",
        port=address.port,
        user="millrace",
        data_proxy=_redirected(properties.get(_REDIRECTS, "")),
        # fsspec's cache would share one HTTP session between threads.
        skip_instance_cache=True,
    )


def _redirected(pairs: str) -> Callable[[str], str]:
    """DataNodes are not always found where the NameNode says: `advertised:port=real:port,...`."""
    real = dict(pair.split("=", 1) for pair in pairs.split(",") if pair)

    def move(url: str) -> str:
        address = urlsplit(url)
        return urlunsplit(address._replace(netloc=real.get(address.netloc, address.netloc)))

    return move


class _Patient(HTTPAdapter):
    """Waits for no answer without a limit."""

    def send(self, request: Any, **arguments: Any) -> Any:  # type: ignore[override]
        arguments["timeout"] = arguments.get("timeout") or _TIMEOUT_S
        return super().send(request, **arguments)


class _HdfsFile(WebHDFile):  # type: ignore[misc]
    """A file whose short or failed reads are errors, not content."""

    def _fetch_range(self, start: int, end: int) -> bytes:
        wanted = min(end, self.size) - start
        content: bytes = super()._fetch_range(start, end)
        if wanted > 0 and len(content) != wanted:
            raise OSError(f"{self.path}: {len(content)} of {wanted} bytes from {start} came")
        return content


class _Hdfs(WebHDFS):  # type: ignore[misc]
    """WebHDFS that reads."""

    def _connect(self) -> None:
        self.session = requests.Session()
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, _Patient())

    def _open(self, path: str, mode: str = "rb", **arguments: Any) -> Any:
        arguments["block_size"] = _BLOCK_BYTES
        return _HdfsFile(self, self._strip_protocol(path), mode=mode, tempdir="/tmp", **arguments)  # noqa: S108
