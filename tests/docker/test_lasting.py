"""Containers come and go, the data stays: plain Compose, without our command line."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from millrace.cluster.docker.containers import Container, containers
from millrace.cluster.docker.engine import ask
from millrace.cluster.docker.project import Project
from millrace.settings import Settings

Compose = Callable[..., str]
Query = Callable[[str], list[list[Any]]]
Running = Callable[[], dict[str, Container]]
ROWS = 3


@dataclass(frozen=True)
class Kept:
    """One thing in each store: what it is called everywhere."""

    name: str

    def look(self, cluster: Settings, query: Query) -> dict[str, Any]:
        """What the stores hold of it now."""
        consumer = KafkaConsumer(bootstrap_servers=cluster.kafka.address)
        partition = TopicPartition(self.name, 0)
        (records,) = consumer.end_offsets([partition]).values()
        consumer.close()
        subjects = requests.get(f"{cluster.registry.url}/apis/ccompat/v7/subjects", timeout=30)
        jwt = requests.post(
            f"{cluster.airflow.url}/auth/token",
            json={"username": "admin", "password": cluster.secret("airflow-admin-password")},
            timeout=30,
        ).json()["access_token"]
        dags = requests.get(
            f"{cluster.airflow.url}/api/v2/dags",
            headers={"Authorization": f"Bearer {jwt}"},
            timeout=30,
        ).json()["dags"]
        return {
            "kafka": records,
            "registry": sorted(subjects.json()),
            "hdfs": query(f"select sum(n) from processed.{self.name}"),
            "object store": query(f"select sum(n) from marts.{self.name}"),
            "airflow": {dag["dag_id"]: dag["is_paused"] for dag in dags},
            "secrets": {file.name: file.read_bytes() for file in cluster.secrets.iterdir()},
        }


@pytest.fixture(scope="module")
def kept(cluster: Settings, query: Query) -> Iterator[Kept]:
    """A topic with records, and a table on each store."""
    thing = Kept(f"lasting_{uuid.uuid4().hex[:8]}")
    # Closed before the broker stops: what loses its broker leaves its sockets open.
    admin = KafkaAdminClient(bootstrap_servers=cluster.kafka.address)
    admin.create_topics([NewTopic(thing.name, num_partitions=1, replication_factor=1)])
    admin.close()
    producer = KafkaProducer(bootstrap_servers=cluster.kafka.address, acks="all")
    for _ in range(ROWS):
        producer.send(thing.name, b"kept").get(timeout=30)
    producer.close()
    for schema in ("processed", "marts"):
        query(f"create table {schema}.{thing.name} as select * from (values 1, 2, 3) as t (n)")
    yield thing
    for schema in ("processed", "marts"):
        query(f"drop table {schema}.{thing.name}")
    admin = KafkaAdminClient(bootstrap_servers=cluster.kafka.address)
    admin.delete_topics([thing.name])
    admin.close()


def test_down_leaves_the_volumes_alone_and_up_finds_the_data(
    cluster: Settings, project: Project, compose: Compose, query: Query, kept: Kept
) -> None:
    before = kept.look(cluster, query)
    assert before["kafka"] == ROWS and before["hdfs"] == before["object store"] == [[6]]
    compose("down")
    assert containers(project.name) == {}
    networks = ask(
        "network", "ls", "-q", "--filter", f"label=com.docker.compose.project={project.name}"
    )
    assert networks.split() == []
    compose("up", "-d", "--wait")
    assert kept.look(cluster, query) == before


def test_a_restart_of_everything_finds_the_data(
    cluster: Settings, compose: Compose, query: Query, kept: Kept, running: Running
) -> None:
    before = kept.look(cluster, query)
    started = {name: each.document["State"]["StartedAt"] for name, each in running().items()}
    compose("restart")
    compose("up", "-d", "--wait")
    again = {name: each.document["State"]["StartedAt"] for name, each in running().items()}
    assert set(again) == set(started)
    assert not [name for name in started if again[name] == started[name]]
    assert kept.look(cluster, query) == before


def test_a_stop_needs_no_killing(project: Project, compose: Compose, running: Running) -> None:
    """Every service ends by itself within its grace period: 137 would be a kill."""
    names = set(running())
    compose("stop")
    codes = {name: containers(project.name)[name].document["State"]["ExitCode"] for name in names}
    compose("up", "-d", "--wait")
    assert {name for name, code in codes.items() if code == 137} == set()
