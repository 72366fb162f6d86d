"""WebHDFS where a DataNode is not found under the name it advertises, as among containers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from millrace.lake.errors import HdfsUnreachableError
from millrace.lake.io import hdfs

#: Nothing is there: whoever goes where it is sent fails.
ADVERTISED = "localhost:1"


class WebHdfs(BaseHTTPRequestHandler):
    """A NameNode that sends reads and writes of one file to a DataNode, which is itself."""

    content = b""

    def do_GET(self) -> None:
        if "GETFILESTATUS" in self.path:
            status = {"length": len(WebHdfs.content), "type": "FILE", "pathSuffix": ""}
            self._answer(200, json.dumps({"FileStatus": status}).encode())
        elif "at-datanode" in self.path:
            self._answer(200, WebHdfs.content)
        else:
            self._send_on()

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "at-datanode" in self.path:
            WebHdfs.content = body
            self._answer(201, b"")
        else:
            self._send_on()

    def _send_on(self) -> None:
        self.send_response(307)
        self.send_header("Location", f"http://{ADVERTISED}{self.path}&at-datanode=1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), WebHdfs)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_file_is_written_and_read_where_the_datanode_really_is(address: str) -> None:
    store = hdfs(f"http://{address}", "millrace", f"other:9=nowhere:9,{ADVERTISED}={address}")
    with store.open("/a/file", "wb") as file:
        file.write(b"rows")
    with store.open("/a/file", "rb") as file:
        assert file.read() == b"rows"


def test_without_a_redirect_the_advertised_address_is_asked(address: str) -> None:
    store = hdfs(f"http://{address}", "millrace")
    with (
        pytest.raises(HdfsUnreachableError, match="localhost"),
        store.open("/a/file", "wb") as file,
    ):
        file.write(b"rows")
