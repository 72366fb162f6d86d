"""Every setting of Millrace: one typed class, read from the environment.

A setting is `MILLRACE_<COMPONENT>__<NAME>`. The ports below are the base ports of the services;
`MILLRACE_PORT_OFFSET` moves them all, so that two clusters can run on one machine. The same names
are the environment of the services themselves (`millrace.environment`), so a client and a
service can not disagree about an address.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from millrace.errors import MillraceError

ROOT = Path(__file__).resolve().parent.parent
HIGHEST_PORT = 65_535


class Service(BaseModel):
    """The address of one service. Every field whose name ends in `port` is moved by the offset."""

    host: str = "127.0.0.1"
    port: int

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """`http://host:port`."""
        return f"http://{self.host}:{self.port}"


class Kafka(Service):
    """The broker, and the controller in the same process."""

    port: int = 9092
    controller_port: int = 9193


class Registry(Service):
    """The schema registry; the management port serves its health."""

    port: int = 8085
    management_port: int = 8086


class NameNode(Service):
    """HDFS: remote calls, and the web page with WebHDFS."""

    port: int = 8020
    http_port: int = 9870

    @property
    def web_url(self) -> str:
        """Base address of the web page and of WebHDFS."""
        return f"http://{self.host}:{self.http_port}"


class DataNode(Service):
    """HDFS data: transfer, WebHDFS, its internal proxy, remote calls."""

    port: int = 9866
    http_port: int = 9864
    proxy_port: int = 9865
    ipc_port: int = 9867


class ResourceManager(Service):
    """YARN: clients, web page, application masters, node managers, administration."""

    port: int = 8032
    http_port: int = 8088
    scheduler_port: int = 8030
    tracker_port: int = 8031
    admin_port: int = 8033

    @property
    def web_url(self) -> str:
        """Base address of the web page and of the REST API."""
        return f"http://{self.host}:{self.http_port}"


class NodeManager(Service):
    """The node that runs YARN containers."""

    port: int = 8041
    http_port: int = 8042
    localizer_port: int = 8040
    collector_port: int = 8048


class Metastore(Service):
    """The Hive Metastore: the catalog `iceberg` of every engine."""

    port: int = 9083

    @property
    def uri(self) -> str:
        """The Thrift address."""
        return f"thrift://{self.host}:{self.port}"


class ObjectStore(Service):
    """The S3 store and the bucket of the marts."""

    port: int = 9000
    console_port: int = 9001
    bucket: str = "data-lake"
    region: str = "us-east-1"


class Trino(Service):
    """The SQL engine."""

    port: int = 8081


class Airflow(Service):
    """The API server with the web page, and the ports of the task logs."""

    port: int = 8080
    worker_log_port: int = 8793
    triggerer_log_port: int = 8794


class History(Service):
    """The Spark history server, a service of the profile `history`."""

    port: int = 18080


class Postgres(Service):
    """The metadata database of Airflow, the metastore and the registry."""

    port: int = 5433


class Landing(BaseModel):
    """The landing application: how often it commits, how much at once, and its sizes on YARN."""

    trigger_seconds: float = 2.0
    max_offsets: int = 60_000
    patience_seconds: float = 600.0
    driver_memory: str = "640m"
    executor_memory: str = "640m"
    executor_cores: int = 2


class Notify(BaseModel):
    """Where a failed task is reported: a URL that takes a JSON POST; empty means nowhere."""

    url: str = ""


class Settings(BaseSettings):
    """All settings; `load` gives the cached instance of this process."""

    model_config = SettingsConfigDict(
        env_prefix="MILLRACE_", env_nested_delimiter="__", extra="ignore"
    )

    root: Path = ROOT
    home: Path = ROOT / ".millrace"
    contracts: Path = ROOT / "contracts"
    port_offset: int = 0
    tier: Literal["small", "standard"] = "small"

    kafka: Kafka = Kafka()
    registry: Registry = Registry()
    namenode: NameNode = NameNode()
    datanode: DataNode = DataNode()
    resourcemanager: ResourceManager = ResourceManager()
    nodemanager: NodeManager = NodeManager()
    metastore: Metastore = Metastore()
    objectstore: ObjectStore = ObjectStore()
    trino: Trino = Trino()
    airflow: Airflow = Airflow()
    history: History = History()
    postgres: Postgres = Postgres()
    landing: Landing = Landing()
    notify: Notify = Notify()

    @model_validator(mode="after")
    def _move_ports(self) -> Settings:
        """Add the offset to every port that was not given explicitly."""
        for service in self.services().values():
            for name in type(service).model_fields:
                if name.endswith("port") and name not in service.model_fields_set:
                    moved = getattr(service, name) + self.port_offset
                    if not 0 < moved <= HIGHEST_PORT:
                        raise ValueError(f"port_offset {self.port_offset} moves {name} to {moved}")
                    # Not through __setattr__: a default must stay a default.
                    service.__dict__[name] = moved
        return self

    def model_post_init(self, context: Any) -> None:
        """Give this instance services of its own, so that moving ports leaves the defaults."""
        for name, service in self.services().items():
            self.__dict__[name] = service.model_copy()

    def services(self) -> dict[str, Service]:
        """Component name to its address, in the order of declaration."""
        values = ((name, getattr(self, name)) for name in type(self).model_fields)
        return {name: value for name, value in values if isinstance(value, Service)}

    @property
    def dist(self) -> Path:
        """Links to the distribution's units."""
        return self.home / "dist"

    @property
    def config(self) -> Path:
        """Configuration of the services, one folder each."""
        return self.root / "config"

    @property
    def secrets(self) -> Path:
        """One file a secret, readable by its owner alone."""
        return self.home / "secrets"

    @property
    def ledger(self) -> Path:
        """What the producers sent and what the broker said of it."""
        return self.home / "ledger"

    @property
    def sample(self) -> Path:
        """Generated sample data and its manifest."""
        return self.home / "sample"

    def secret(self, name: str) -> str:
        """The value of one secret.

        Raises:
            MillraceError: the cluster has not made its secrets yet.
        """
        try:
            return (self.secrets / name).read_text().strip()
        except FileNotFoundError:
            raise MillraceError(
                f"secret {name}", f"{self.secrets} has no such file", "make up"
            ) from None


@cache
def load() -> Settings:
    """The settings of this process."""
    return Settings()
