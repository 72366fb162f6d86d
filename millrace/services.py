"""The services' addresses: base ports, and the URLs made from them."""

from __future__ import annotations

from pydantic import BaseModel


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
    """The broker, and the controller in the same process.

    The external port is that of the host's listener in the broker's container; natively there is
    none, and on the host it is `port` that leads there.
    """

    port: int = 9092
    controller_port: int = 9193
    external_port: int = 9094


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
    """HDFS data: transfer, WebHDFS, its internal proxy, remote calls.

    `redirects` is for WebHDFS clients inside a network of containers, where a DataNode is not
    found under the name it advertises: `advertised:port=real:port`, a comma between two.
    """

    port: int = 9866
    http_port: int = 9864
    proxy_port: int = 9865
    ipc_port: int = 9867
    redirects: str = ""


class SecondDataNode(Service):
    """The second DataNode of the profile `scale`."""

    port: int = 9876
    http_port: int = 9874


class ThirdDataNode(Service):
    """The third DataNode of the profile `scale`."""

    port: int = 9886
    http_port: int = 9884


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
    """The API server with the web page, and the ports of the task logs.

    Attributes:
        heartbeat_timeout_seconds: a task whose worker is silent for so long is tried again.
    """

    port: int = 8080
    worker_log_port: int = 8793
    triggerer_log_port: int = 8794
    heartbeat_timeout_seconds: int = 60


class History(Service):
    """The Spark history server, a service of the profile `history`."""

    port: int = 18080


class Postgres(Service):
    """The metadata database of Airflow, the metastore and the registry."""

    port: int = 5433
