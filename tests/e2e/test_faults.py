"""Services are killed; the supervisor starts them again and nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from millrace.settings import Settings

#: Healthy again within this, after SIGKILL (the issue's figure).
HEALTHY_WITHIN_S = 60.0
SERVICES = (
    "postgres",
    "kafka",
    "registry",
    "namenode",
    "datanode",
    "resourcemanager",
    "nodemanager",
    "metastore",
    "objectstore",
    "trino",
    "airflow-apiserver",
    "airflow-scheduler",
    "airflow-dag-processor",
    "airflow-triggerer",
)
Query = Callable[[str], list[list[Any]]]
Eventually = Callable[[Callable[[], bool], float, str], None]


def kill_and_wait(services: Any, eventually: Eventually, name: str) -> None:
    """Kill a service and wait until another process of it is healthy."""
    before, killed_at = services.identity(name), datetime.now(UTC)
    services.kill(name)
    eventually(
        lambda: (
            services.is_healthy(name)
            and services.identity(name) != before
            and services.has_beaten_since(name, killed_at)
        ),
        HEALTHY_WITHIN_S,
        f"{name} is healthy again",
    )


def produce_customers(millrace: Any, folder: Path, first: int, number: int) -> None:
    """Publish customers of their own, numbered from `first`."""
    file = folder / f"customers-{first}.jsonl"
    rows = (
        {
            "customer_id": f"C{first + n:06d}",
            "name": "Fault Tester",
            "email": f"fault{first + n}@example.com",
            "phone": None,
            "country": "DE",
            "city": "Kiel",
            "segment": "consumer",
            "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-01T00:00:00Z",
        }
        for n in range(number)
    )
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    millrace("produce", "customers", "--from", str(file))


def test_the_same_application_goes_on_when_yarn_is_killed(
    cluster: Settings,
    millrace: Any,
    query: Query,
    services: Any,
    eventually: Eventually,
    landing_application: Callable[[], dict[str, Any]],
    tmp_path: Path,
) -> None:
    """Both daemons of YARN die while the stream runs: the driver and executors stay."""
    millrace("landing", "start")
    produce_customers(millrace, tmp_path, 600_000, 100)
    before = landing_application()["id"]
    for number, name in enumerate(("resourcemanager", "nodemanager"), start=1):
        kill_and_wait(services, eventually, name)
        produce_customers(millrace, tmp_path, 600_000 + number * 1_000, 100)
    millrace("landing", "wait", "--timeout", "240")
    application = landing_application()
    assert application["id"] == before
    rows = query(
        "select count(*), count(distinct customer_id) from raw.customers "
        "where name = 'Fault Tester' and customer_id < 'C700000'"
    )
    assert rows == [[300, 300]]


@pytest.mark.parametrize("name", SERVICES)
def test_a_killed_service_is_healthy_again_within_a_minute(
    services: Any, eventually: Eventually, name: str
) -> None:
    kill_and_wait(services, eventually, name)


def test_records_sent_after_all_those_kills_reach_raw(
    millrace: Any, query: Query, tmp_path: Path
) -> None:
    millrace("landing", "start")
    produce_customers(millrace, tmp_path, 700_000, 1_000)
    millrace("landing", "wait", "--timeout", "300")
    assert query(
        "select count(*), count(distinct customer_id) from raw.customers"
        " where customer_id between 'C700000' and 'C700999'"
    ) == [[1000, 1000]]
    millrace("status")
