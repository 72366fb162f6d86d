"""PyIceberg's files on HDFS and on the object store.

HDFS is reached through WebHDFS: a small file costs 40 to 80 ms and needs neither a JVM nor a
native library. `hdfs://millrace` is a logical name; the address behind it is a property of the
catalog and enters no table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from fsspec.implementations.webhdfs import WebHDFile, WebHDFS
from pyiceberg.io.fsspec import FsspecFileIO
from pyiceberg.typedef import Properties
from requests.adapters import HTTPAdapter

from millrace.lake.errors import HdfsFullError, HdfsUnreachableError

HDFS_URL = "millrace.hdfs.url"
HDFS_USER = "millrace.hdfs.user"
HDFS_REDIRECTS = "millrace.hdfs.redirects"
#: The name service; what stands behind it is configuration.
HDFS_NAME = "hdfs://millrace"

#: Seconds to connect and to wait for a byte. A NameNode that is being restarted refuses at once;
#: a frozen one must not hold a commit for ever.
TIMEOUT_S = (5.0, 60.0)
HTTP_ERROR = 400
#: A quota, a full disk, or DataNodes that run and none of which takes a block.
FULL = re.compile(
    r"QuotaExceededException|No space left on device"
    r"|could only be written to 0 of the \d+ minReplication nodes\. There are [1-9]"
)
STARTING = ("startup mode", "safe mode", "StandbyException")
OCTETS = {"content-type": "application/octet-stream"}


class _Door(HTTPAdapter):
    """An HTTP adapter that never waits without a limit, and knows where a DataNode really is.

    The addresses are replaced here and not by fsspec's `data_proxy`, which does not see the
    redirects that the HTTP library follows by itself.
    """

    def __init__(self, redirects: Mapping[str, str]) -> None:
        super().__init__()
        self._redirects = redirects

    def send(self, request: Any, **arguments: Any) -> Any:  # type: ignore[override]
        """Send with the module's timeouts where the caller gave none."""
        if arguments.get("timeout") is None:
            arguments["timeout"] = TIMEOUT_S
        address = urlsplit(request.url)
        if real := self._redirects.get(address.netloc):
            request.url = urlunsplit(address._replace(netloc=real))
        return super().send(request, **arguments)


class _Reaching:
    """Tells a store that does not answer now from a request that is wrong."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Raise what is no answer as `HdfsUnreachableError`."""
        away = isinstance(error, requests.ConnectionError | requests.Timeout)
        # fsspec raises what a starting NameNode says as a RuntimeError.
        starting = isinstance(error, RuntimeError) and any(w in str(error) for w in STARTING)
        if away or starting:
            raise HdfsUnreachableError(self._url, f"it does not answer: {error}") from error


class _HdfsFile(WebHDFile):  # type: ignore[misc]
    """A WebHDFS file that is created in one request when it fits the buffer.

    fsspec creates an empty file and appends to it: four requests and a reopened block for a file
    of a few kilobytes, of which a commit writes three.
    """

    def _initiate_upload(self) -> None:
        self.location = None

    def _upload_chunk(self, final: bool = False) -> bool:
        if self.location is None:
            self._put("CREATE", "PUT", overwrite="true")
            self.location = self.path
        else:
            self._put("APPEND", "POST")
        return True

    def _put(self, operation: str, method: str, **arguments: str) -> None:
        redirect = self.fs._call(operation, method, self.path, redirect=False, **arguments)
        address = redirect.headers["Location"]
        with _Reaching(address.partition("?")[0]):
            answer = self.fs.session.request(
                method, address, data=self.buffer.getvalue(), headers=OCTETS
            )
        _refuse_errors(answer, f"{operation} {self.path}")

    def _fetch_range(self, start: int, end: int) -> bytes:
        """Read a range; fsspec would take the text of an error for the file's bytes."""
        start, end = max(start, 0), min(end, self.size)
        if start >= end:
            return b""
        answer = self.fs._call("OPEN", path=self.path, offset=start, length=end - start)
        _refuse_errors(answer, f"OPEN {self.path}")
        content: bytes = answer.content
        if len(content) != end - start:
            raise OSError(f"OPEN {self.path}: {len(content)} bytes of {end - start} came")
        return content


def _refuse_errors(answer: Any, request: str) -> None:
    """Raise what an answer says no with.

    Raises:
        HdfsFullError: there is no room.
        OSError: anything else.
    """
    if answer.status_code < HTTP_ERROR:
        return
    if FULL.search(answer.text):
        raise HdfsFullError(request, answer.text[:500])
    raise OSError(f"{request}: {answer.status_code} {answer.text[:500]}")


class LakeWebHdfs(WebHDFS):  # type: ignore[misc]
    """WebHDFS with time limits and one-request small files.

    Args:
        host: the NameNode's.
        redirects: advertised `host:port` of a DataNode to the real one.
    """

    def __init__(self, host: str, redirects: Mapping[str, str], **arguments: Any) -> None:
        self._redirects = dict(redirects)
        super().__init__(host, **arguments)

    def _connect(self) -> None:
        super()._connect()
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, _Door(self._redirects))

    def _call(self, *arguments: Any, **named: Any) -> Any:
        with _Reaching(self.url):
            return super()._call(*arguments, **named)

    def _open(self, path: str, mode: str = "rb", **arguments: Any) -> Any:
        arguments["block_size"] = arguments.get("block_size") or self.blocksize
        return _HdfsFile(self, self._strip_protocol(path), mode=mode, tempdir="/tmp", **arguments)  # noqa: S108


def hdfs(url: str, user: str, redirects: str = "") -> LakeWebHdfs:
    """The file system behind `hdfs://millrace`.

    Args:
        url: `http://host:port` of the NameNode's web page.
        user: who acts.
        redirects: `advertised:port=real:port` of each DataNode that is not found where the
            NameNode sends a client, a comma between two.
    """
    address = urlsplit(url)
    pairs = (pair.partition("=") for pair in redirects.split(",") if pair)
    # An instance of our own: fsspec's cache would share one HTTP session between threads.
    return LakeWebHdfs(
        address.hostname or "",
        {advertised: real for advertised, _, real in pairs},
        port=address.port,
        user=user,
        use_https=address.scheme == "https",
        skip_instance_cache=True,
    )


class LakeFileIO(FsspecFileIO):
    """Files of tables on `hdfs://millrace` and `s3://`."""

    def __init__(self, properties: Properties) -> None:
        super().__init__(properties)
        self._scheme_to_fs["hdfs"] = _hdfs_of


def _hdfs_of(properties: Properties) -> LakeWebHdfs:
    return hdfs(properties[HDFS_URL], properties[HDFS_USER], properties.get(HDFS_REDIRECTS, ""))


__all__ = ["HDFS_NAME", "HDFS_URL", "HDFS_USER", "LakeFileIO", "LakeWebHdfs", "hdfs"]
