"""A violation in processed stops the pipeline before the marts, and somebody is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import urlparse

import pytest

from millrace.demo.counts import MARTS
from millrace.settings import Settings

Query = Callable[[str], list[list[Any]]]


@pytest.fixture
def notifications(cluster: Settings) -> Iterator[list[dict[str, Any]]]:
    """What is posted to the address that Airflow was given, by a real HTTP server."""
    received: list[dict[str, Any]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(json.loads(body))
            self.send_response(204)
            self.end_headers()

    address = urlparse(cluster.notify.url)
    assert address.hostname and address.port, "the test cluster was given no address to notify"
    server = HTTPServer((address.hostname, address.port), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield received
    server.shutdown()
    thread.join()
    server.server_close()


def snapshots(query: Query) -> dict[str, int]:
    """The current snapshot of every mart."""
    return {
        mart: query(
            f'select snapshot_id from marts."{mart}$snapshots" order by committed_at desc limit 1'
        )[0][0]
        for mart in MARTS
    }


def test_a_planted_violation_fails_the_gate_and_leaves_the_marts(
    cluster: Settings,
    millrace: Any,
    query: Query,
    notifications: list[dict[str, Any]],
) -> None:
    before = snapshots(query)
    columns = [row[0] for row in query("show columns from processed.orders")]
    planted = {"order_id": "'O9999999'", "status": "'bogus'"}
    select = ", ".join(planted.get(column, column) for column in columns)
    query(f"insert into processed.orders select {select} from processed.orders limit 1")
    try:
        failed = millrace(
            "run", "enterprise_data_pipeline", "--follow", "--conf", '{"generate": false}', expect=1
        )
        assert "check_processed" in failed.stderr
        assert snapshots(query) == before
        assert "check_processed" in {entry["task_id"].split(".")[-1] for entry in notifications}
    finally:
        query("delete from processed.orders where order_id = 'O9999999'")
