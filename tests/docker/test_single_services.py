"""Single services of our images, each fresh: what a first start makes, and what it refuses.

testcontainers starts and removes them. Its own reaper would be an image from a registry, so it is
off and every container carries the label whose absence the runner checks at the end.
"""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
from botocore.exceptions import ClientError
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError

# Read by testcontainers as it is imported.
os.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"
os.environ["TESTCONTAINERS_CONNECTION_MODE"] = "docker_host"
from testcontainers.core.container import DockerContainer

from millrace.cli.docker_tests import LABEL
from millrace.cluster.docker.engine import ask
from millrace.cluster.docker.project import Project

Eventually = Callable[[Callable[[], bool], float, str], None]
Fresh = Callable[..., DockerContainer]
DATA, SECRETS = "/var/lib/millrace/data", "/var/lib/millrace/secrets"
START_SECONDS = 90.0


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture
def volume() -> Iterator[Callable[[], str]]:
    """Makes volumes that are removed at the end."""
    made: list[str] = []

    def make() -> str:
        made.append(f"millrace-tests-{uuid.uuid4().hex[:12]}")
        ask("volume", "create", "--label", f"{LABEL}=fresh", made[-1])
        return made[-1]

    yield make
    for name in made:
        ask("volume", "rm", name)


@pytest.fixture
def fresh(project: Project, volume: Callable[[], str]) -> Iterator[Fresh]:
    """Starts one service as the compose file says, on volumes and ports of its own."""
    services = project.config()["services"]
    with ExitStack() as started:

        def start(name: str, ports: dict[int, int], **changed: Any) -> DockerContainer:
            service = services[name]
            container = DockerContainer(changed.get("image", service["image"]))
            container.with_command([*service["command"]])
            container.with_kwargs(
                labels={LABEL: "fresh"}, init=True, cap_drop=["ALL"], network_mode="bridge"
            )
            environment = {**service["environment"], **changed.get("environment", {})}
            for key, value in environment.items():
                container.with_env(key, str(value))
            container.ports = {inside: ("127.0.0.1", port) for inside, port in ports.items()}
            for place, source in changed.get("volumes", {}).items():
                container.with_volume_mapping(source, place, "rw")
            started.enter_context(container)
            return container

        yield start


@pytest.fixture
def secrets(fresh: Fresh, volume: Callable[[], str], eventually: Eventually) -> str:
    """A volume with the secrets of a new cluster."""
    name = volume()
    container = fresh("secrets", {}, volumes={SECRETS: name}).get_wrapped_container()
    assert container.wait(timeout=60)["StatusCode"] == 0
    return name


def secret(volume: str, name: str, image: str) -> str:
    """One secret of a volume."""
    mount = f"type=volume,source={volume},target={SECRETS},readonly"
    return ask("run", "--rm", "--mount", mount, image, "cat", f"{SECRETS}/{name}").strip()


def test_a_new_database_has_a_role_for_each_client_and_lets_no_other_in(
    fresh: Fresh, volume: Callable[[], str], secrets: str, project: Project, eventually: Eventually
) -> None:
    inside = int(project.settings.postgres.port)
    port, data = free_port(), volume()
    mounts = {SECRETS: secrets, DATA: data}
    container = fresh("postgres", {inside: port}, volumes=mounts)
    image = str(container.image)
    password = secret(secrets, "airflow-db-password", image)
    address = {"host": "127.0.0.1", "port": port, "dbname": "airflow"}

    def answers() -> bool:
        with psycopg.connect(user="airflow", password=password, **address) as connection:
            connection.execute("create table if not exists kept as select 42 as answer")
        return True

    eventually(answers, START_SECONDS, "a new PostgreSQL takes its first client")
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(user="airflow", password="airflow", **address)
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(user="registry", password=password, **address)

    # A second container on the same volume finds what the first one wrote.
    container.get_wrapped_container().stop()
    fresh("postgres", {inside: port}, volumes=mounts)
    eventually(answers, START_SECONDS, "PostgreSQL answers on an old volume")
    with psycopg.connect(user="airflow", password=password, **address) as connection:
        assert connection.execute("select answer from kept").fetchall() == [(42,)]


def test_a_new_broker_is_empty_and_makes_no_topic_by_itself(
    fresh: Fresh, volume: Callable[[], str], project: Project, eventually: Eventually
) -> None:
    kafka, port = project.settings.kafka, free_port()
    advertised = f"INTERNAL://localhost:{kafka.port},EXTERNAL://127.0.0.1:{port}"
    container = fresh(
        "kafka",
        {kafka.external_port: port},
        volumes={DATA: volume()},
        environment={
            "MILLRACE_KAFKA__HOST": "localhost",
            "MILLRACE_KAFKA__ADVERTISED_LISTENERS": advertised,
        },
    )
    bootstrap = f"127.0.0.1:{port}"

    def topics() -> list[str]:
        admin = KafkaAdminClient(bootstrap_servers=bootstrap)
        try:
            return list(admin.list_topics())
        finally:
            admin.close()

    # Not by a client: one that finds no broker leaves its sockets open.
    probe = ["scripts/probe", "kafka", f"127.0.0.1:{kafka.port}"]

    def answers() -> bool:
        return bool(container.get_wrapped_container().exec_run(probe).exit_code == 0)

    eventually(answers, START_SECONDS, "a new broker answers")
    assert topics() == []
    producer = KafkaProducer(bootstrap_servers=bootstrap, max_block_ms=5_000)
    with pytest.raises(KafkaError):
        producer.send("nobody.made.it", b"lost").get(timeout=10)
    producer.close()
    assert topics() == []
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_topics([NewTopic("made", num_partitions=1, replication_factor=1)])
    admin.close()
    container.get_wrapped_container().restart()
    eventually(answers, START_SECONDS, "the broker answers after a restart")
    assert topics() == ["made"]


def test_a_new_object_store_is_closed_to_strangers_and_holds_nothing(
    fresh: Fresh, volume: Callable[[], str], secrets: str, project: Project, eventually: Eventually
) -> None:
    inside, port = int(project.settings.objectstore.port), free_port()
    container = fresh("objectstore", {inside: port}, volumes={SECRETS: secrets, DATA: volume()})
    image = str(container.image)
    names = ("objectstore-access-key", "objectstore-secret-key")
    keys = [secret(secrets, name, image) for name in names]

    def client(access: str, key: str) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{port}",
            aws_access_key_id=access,
            aws_secret_access_key=key,
            region_name=project.settings.objectstore.region,
        )

    ours = client(*keys)
    eventually(
        lambda: ours.list_buckets()["Buckets"] == [], START_SECONDS, "a new store has no bucket"
    )
    for access, key in (("minioadmin", "minioadmin"), (keys[0], "wrong" * 8)):
        with pytest.raises(ClientError, match=r"InvalidAccessKeyId|SignatureDoesNotMatch"):
            client(access, key).list_buckets()
    ours.create_bucket(Bucket="made")
    ours.put_object(Bucket="made", Key="kept", Body=b"42")
    container.get_wrapped_container().restart()
    eventually(
        lambda: ours.get_object(Bucket="made", Key="kept")["Body"].read() == b"42",
        START_SECONDS,
        "the object is there after a restart",
    )


def test_testcontainers_is_beside_the_lake_and_not_in_it(project: Project) -> None:
    """The images hold the lake's environment: what only tests need must not be in it."""
    lake = Path(project.settings.dist / "lake").resolve()
    assert not list(lake.glob("lib/python3.11/site-packages/testcontainers"))
