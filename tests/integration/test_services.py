"""Each service answers the client its users use."""

from __future__ import annotations

import datetime as dt
import json
import urllib.request
import uuid

import boto3
import pyarrow as pa
import pytest
import requests
from hdfs import InsecureClient
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from trino.dbapi import Connection, connect

from millrace.lake import catalog
from millrace.settings import Settings


@pytest.fixture(scope="module")
def trino(cluster: Settings) -> Connection:
    return connect(
        host=cluster.trino.host, port=cluster.trino.port, user="tester", catalog="iceberg"
    )


def query(trino: Connection, statement: str) -> list[list[object]]:
    cursor = trino.cursor()
    cursor.execute(statement)
    return [list(row) for row in cursor.fetchall()]


def test_kafka_python_writes_and_reads_back(cluster: Settings) -> None:
    topic = f"tests.{uuid.uuid4().hex[:8]}"
    bootstrap = cluster.kafka.address
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}})
        producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all")
        producer.send(topic, b"hello").get(timeout=20)
        producer.close()
        consumer = KafkaConsumer(
            topic,
            bootstrap_servers=bootstrap,
            auto_offset_reset="earliest",
            consumer_timeout_ms=20_000,
        )
        assert next(consumer).value == b"hello"
        consumer.close()
    finally:
        admin.delete_topics([topic])
        admin.close()


def test_the_topics_of_the_contracts_have_three_partitions_and_are_never_compacted(
    cluster: Settings,
) -> None:
    consumer = KafkaConsumer(bootstrap_servers=cluster.kafka.address)
    topics = {"orders", "customers", "products", "locations"}
    assert topics <= consumer.topics()
    assert {len(consumer.partitions_for_topic(topic)) for topic in topics} == {3}
    consumer.close()


def test_the_registry_refuses_a_schema_that_breaks_readers(cluster: Settings) -> None:
    base = f"{cluster.registry.url}/apis/ccompat/v7/subjects"
    subject = "orders-value"
    latest = requests.get(f"{base}/{subject}/versions/latest", timeout=20).json()
    schema = json.loads(latest["schema"])
    schema["fields"].append({"name": "no_default_given", "type": "string"})
    answer = requests.post(
        f"{base}/{subject}/versions", json={"schema": json.dumps(schema)}, timeout=20
    )
    assert answer.status_code == 409, answer.text


def test_webhdfs_writes_reads_and_lists(cluster: Settings) -> None:
    client = InsecureClient(cluster.namenode.web_url, user="millrace")
    client.write("/tmp/hello", data=b"hello", overwrite=True)
    with client.read("/tmp/hello") as reader:
        assert reader.read() == b"hello"
    assert "data" in client.list("/")
    assert "streaming" in client.list("/data")


def test_boto3_lists_the_bucket_and_a_stranger_is_refused(cluster: Settings) -> None:
    def client(key: str, secret: str) -> object:
        return boto3.client(
            "s3",
            endpoint_url=cluster.objectstore.url,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            region_name=cluster.objectstore.region,
        )

    ours = client(
        cluster.secret("objectstore-access-key"), cluster.secret("objectstore-secret-key")
    )
    ours.list_objects_v2(Bucket=cluster.objectstore.bucket)
    stranger = client("minioadmin", "minioadmin")
    with pytest.raises(stranger.exceptions.ClientError, match="InvalidAccessKeyId"):
        stranger.list_objects_v2(Bucket=cluster.objectstore.bucket)


@pytest.mark.parametrize("schema", ["processed", "marts"], ids=["HDFS", "object store"])
def test_pyiceberg_and_trino_read_what_the_other_wrote(
    cluster: Settings, trino: Connection, schema: str
) -> None:
    lake = catalog(cluster)
    name = f"tests_{uuid.uuid4().hex[:8]}"
    rows = pa.table({"id": pa.array([1, 2], pa.int64()), "day": [dt.date(2026, 1, 1)] * 2})
    table = lake.create_table(f"{schema}.{name}", rows.schema)
    try:
        table.append(rows)
        assert query(trino, f"select sum(id) from {schema}.{name}") == [[3]]
        query(trino, f"insert into {schema}.{name} values (3, date '2026-01-02')")
        assert lake.load_table(f"{schema}.{name}").scan().to_arrow()["id"].to_pylist().count(3) == 1
    finally:
        query(trino, f"drop table {schema}.{name}")


def test_trino_has_the_catalogs_of_the_lake(trino: Connection) -> None:
    assert {"iceberg", "hive"} <= {row[0] for row in query(trino, "show catalogs")}


def test_airflow_lets_in_who_knows_the_password_and_nobody_else(cluster: Settings) -> None:
    def token(password: str) -> requests.Response:
        return requests.post(
            f"{cluster.airflow.url}/auth/token",
            json={"username": "admin", "password": password},
            timeout=30,
        )

    assert token("admin").status_code == 401
    jwt = token(cluster.secret("airflow-admin-password")).json()["access_token"]
    dags = requests.get(
        f"{cluster.airflow.url}/api/v2/dags",
        headers={"Authorization": f"Bearer {jwt}"},
        timeout=30,
    ).json()
    assert "enterprise_data_pipeline" in {dag["dag_id"] for dag in dags["dags"]}
    anonymous = requests.get(f"{cluster.airflow.url}/api/v2/dags", timeout=30)
    assert anonymous.status_code == 401


def test_the_resource_manager_has_a_node_and_both_queues(cluster: Settings) -> None:
    base = f"{cluster.resourcemanager.web_url}/ws/v1/cluster"
    with urllib.request.urlopen(f"{base}/metrics", timeout=20) as answer:
        assert json.load(answer)["clusterMetrics"]["activeNodes"] == 1
    with urllib.request.urlopen(f"{base}/scheduler", timeout=20) as answer:
        queues = json.load(answer)["scheduler"]["schedulerInfo"]["queues"]["queue"]
    assert {"streaming", "batch"} <= {queue["queueName"] for queue in queues}
