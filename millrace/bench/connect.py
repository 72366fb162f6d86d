"""Kafka Connect with Iceberg's sink, a worker of its own.

Standalone: it keeps nothing between two runs. What the sink needs of Hive's client and of HDFS it
takes from Spark's jars, which speak to the same metastore. The sink commits through a control
topic, by time: every `interval_s`, where its default is five minutes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil
from kafka.admin import KafkaAdminClient, NewTopic

from millrace.bench.contestant import NAMESPACE, Program, Terms, make_table
from millrace.errors import MillraceError
from millrace.settings import Settings

#: Of the REST interface, which Connect can not do without.
BASE_PORT = 8095
CONTROL_PARTITIONS = 1
#: The driver's and the executor's heap together.
HEAP = "1280m"
#: As many tasks as landing has cores.
TASKS = 2
#: What Iceberg's catalog needs of Spark's jars.
HIVE_JARS = (
    "hadoop-client-*",
    "hive-common-*",
    "hive-exec-*",
    "hive-metastore-*",
    "hive-serde-*",
    "hive-shims-*",
    "hive-storage-api-*",
    "libthrift-*",
    "libfb303-*",
    "commons-lang-*",
    "jcl-over-slf4j-*",
    "javax.jdo-*",
    "datanucleus-*",
    "guava-*",
    "failureaccess-*",
)


class KafkaConnect:
    """One worker in standalone mode."""

    name = "connect"
    title = "Kafka Connect, Iceberg sink"
    table = f"{NAMESPACE}.kafka_connect"

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._program = Program(terms.settings, self.name)
        self._run = f"bench-{time.time_ns() // 1_000_000}"

    def prepare(self) -> None:
        """Have an empty table and a control topic, and no offsets of an earlier run.

        Raises:
            MillraceError: the unit is not installed.
        """
        settings = self._terms.settings
        if not (settings.dist / "connect" / "jars").is_dir():
            raise MillraceError(
                "Kafka Connect", "is not installed", "python3 -m millrace.dist connect"
            )
        make_table(settings, self.table)
        admin = KafkaAdminClient(bootstrap_servers=settings.kafka.address)
        try:
            admin.create_topics([NewTopic(self._run, CONTROL_PARTITIONS, 1)])
        finally:
            admin.close()

    def start(self) -> None:
        """Start the worker with its connector."""
        settings = self._terms.settings
        folder = settings.home / "run" / "bench-connect"
        folder.mkdir(parents=True, exist_ok=True)
        worker, connector = folder / "worker.properties", folder / "connector.properties"
        offsets = folder / f"{self._run}.offsets"
        worker.write_text(_properties(worker_settings(settings, offsets)))
        connector.write_text(
            _properties({"name": self._run, **sink_settings(self._terms, self._run)})
        )
        self._program.start(command(settings, worker, connector))

    def processes(self) -> list[psutil.Process]:
        """The worker."""
        return self._program.processes()

    def has_ended(self) -> bool:
        """It is endless."""
        return self._program.has_ended()

    def stop(self) -> None:
        """End it; it commits what it has."""
        self._program.stop()


def _properties(values: Mapping[str, str]) -> str:
    return "".join(f"{key}={value}\n" for key, value in values.items())


def worker_settings(settings: Settings, offsets: Path) -> dict[str, str]:
    """The properties of the worker."""
    return {
        "bootstrap.servers": settings.kafka.address,
        "listeners": f"http://127.0.0.1:{BASE_PORT + settings.port_offset}",
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "false",
        "offset.storage.file.filename": str(offsets),
        # Everything is on the class path: nothing has to be searched.
        "plugin.discovery": "service_load",
    }


def sink_settings(terms: Terms, control_topic: str) -> dict[str, str]:
    """The settings of the connector."""
    settings = terms.settings
    return {
        "connector.class": "org.apache.iceberg.connect.IcebergSinkConnector",
        "tasks.max": str(TASKS),
        "topics": terms.topic,
        "consumer.override.auto.offset.reset": "earliest",
        "iceberg.tables": KafkaConnect.table,
        "iceberg.catalog": "iceberg",
        "iceberg.catalog.type": "hive",
        "iceberg.catalog.uri": settings.metastore.uri,
        "iceberg.catalog.io-impl": "org.apache.iceberg.hadoop.HadoopFileIO",
        "iceberg.hadoop-conf-dir": str(settings.config / "hadoop"),
        # The sink's own clients: it would look for the worker's file on the command line.
        "iceberg.kafka.bootstrap.servers": settings.kafka.address,
        "iceberg.control.topic": control_topic,
        "iceberg.control.commit.interval-ms": str(int(terms.interval_s * 1000)),
        "errors.tolerance": "none",
    }


def command(settings: Settings, worker: Path, connector: Path) -> Sequence[str]:
    """The command line of the worker."""
    spark = settings.dist / "spark" / "jars"
    path = [
        str(settings.dist / "connect" / "jars" / "*"),
        *(str(jar) for pattern in HIVE_JARS for jar in sorted(spark.glob(f"{pattern}.jar"))),
        str(settings.config / "hadoop"),
    ]
    return [
        str(settings.dist / "java17" / "bin" / "java"),
        *(f"-Xmx{HEAP}", "-XX:+UseSerialGC", "-XX:ReservedCodeCacheSize=160m"),
        *("-XX:-UsePerfData", "-Djava.net.preferIPv4Stack=true"),
        f"-Dlog4j2.configurationFile={settings.config / 'kafka' / 'log4j2.properties'}",
        *("-cp", ":".join(path)),
        "org.apache.kafka.connect.cli.ConnectStandalone",
        *(str(worker), str(connector)),
    ]
