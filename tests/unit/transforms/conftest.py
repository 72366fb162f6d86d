"""One local Spark session for all tests here, with an Iceberg catalog in a temporary folder."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from millrace.contracts import Contract, Field, load_contracts
from millrace.processed import ProcessedTable, processed_tables
from millrace.settings import load
from spark_jobs.batch.iceberg import ONE_SNAPSHOT_A_TABLE, current_snapshot, java_table
from spark_jobs.batch.merge import Outcome, bring_up
from spark_jobs.transforms.columns import column_type

ROOT = Path(__file__).resolve().parents[3]
ICEBERG = "iceberg-spark-runtime-*.jar"

Rows = Callable[..., DataFrame]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """PySpark leaves the socket of every `collect` to the garbage collector."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A session with one thread, no page and no address but 127.0.0.1."""
    dist = load().dist
    jars = sorted((dist / "spark" / "jars").glob(ICEBERG))
    assert jars, f"no {ICEBERG} in {dist}/spark/jars: run `make install`"
    os.environ.update(JAVA_HOME=str(dist / "java17"), SPARK_LOCAL_IP="127.0.0.1")
    extensions = "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions"
    conf = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraClassPath": str(jars[0]),
        "spark.driver.extraJavaOptions": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
        "spark.sql.shuffle.partitions": "1",
        # For three rows, compiling a query takes longer than interpreting it.
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.extensions": extensions,
        "spark.sql.defaultCatalog": "iceberg",
        "spark.sql.catalog.iceberg": "org.apache.iceberg.spark.SparkCatalog",
        "spark.sql.catalog.iceberg.type": "hadoop",
        "spark.sql.catalog.iceberg.warehouse": str(tmp_path_factory.mktemp("warehouse")),
        **ONE_SNAPSHOT_A_TABLE,
    }
    builder = SparkSession.builder.master("local[1]").appName("tests")
    for name, value in conf.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sql("CREATE NAMESPACE raw")
    session.sql("CREATE NAMESPACE processed")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def contracts() -> dict[str, Contract]:
    return load_contracts(ROOT / "contracts")


@pytest.fixture(scope="session")
def tables(contracts: dict[str, Contract]) -> dict[str, ProcessedTable]:
    return {table.name: table for table in processed_tables(contracts.values())}


@pytest.fixture
def rows(spark: SparkSession) -> Rows:
    """Rows of a schema in DDL: `rows("id string, n int", ("a", 1))`."""

    def make(schema: str, *values: Sequence[Any]) -> DataFrame:
        return spark.createDataFrame(list(values), schema)

    return make


LANDING = (
    "kafka_topic string, kafka_partition int, kafka_offset bigint, kafka_at timestamp, "
    "is_tombstone boolean"
)
LINES = Field("lines", "array", items=Field("item", "struct", fields=(
    Field("n", "int", key=True, required=True), Field("what", "string"),
)))  # fmt: skip
BASKETS = Contract(
    dataset="baskets",
    topic="baskets",
    version="1.0.0",
    description="What people's carts hold",
    owner="shop",
    key=("id",),
    event_time="at",
    fields=(
        Field("id", "string", key=True, required=True),
        Field("owner_id", "string", references="people.id"),
        Field("at", "timestamp", description="the basket's last change"),
        LINES,
    ),
)
numbers = itertools.count()


def at(day: int) -> datetime:
    return datetime(2026, 1, day, tzinfo=UTC)


class Lake:
    """One dataset's raw and processed tables, under names of their own."""

    def __init__(self, spark: SparkSession, contract: Contract = BASKETS) -> None:
        self.spark = spark
        self.use(replace(contract, dataset=f"baskets{next(numbers)}s"))
        spark.sql(f"CREATE TABLE {self.contract.raw_table} ({self.columns}) USING iceberg")
        self.offset = itertools.count()

    def use(self, contract: Contract) -> None:
        self.contract = contract
        self.tables = processed_tables([contract])
        own = [f"`{field.name}` {column_type(field)}" for field in contract.fields]
        self.columns = ", ".join([*own, LANDING])

    def land(self, *values: tuple[Any, ...]) -> None:
        """Append records of (fields..., ) at the next offsets, in one snapshot."""
        rows = [
            (*value, "baskets", 0, offset, at(20), False)
            for value, offset in zip(values, self.offset, strict=False)
        ]
        frame = self.spark.newSession().createDataFrame(rows, self.columns)
        frame.writeTo(f"iceberg.{self.contract.raw_table}").append()

    def build(
        self, *, full: bool = False, lines: bool = True, up_to: int | None = None
    ) -> list[Outcome]:
        """Build the tables, each in a session of its own as the job does."""
        parent = self.tables[0]
        up_to = up_to or current_snapshot(self.spark.newSession(), self.contract.raw_table)
        return [
            bring_up(
                self.spark.newSession(), table, parent if table.child else None, up_to, full=full
            )
            for table in self.tables[: 2 if lines else 1]
        ]

    def rows(self, place: int, columns: str) -> set[tuple[Any, ...]]:
        """The rows of the dataset's table (0) or its lines (1)."""
        name = self.tables[place].identifier
        session = self.spark.newSession()
        return {tuple(row) for row in session.sql(f"SELECT {columns} FROM {name}").collect()}

    def raw_snapshot(self) -> int:
        session = self.spark.newSession()
        raw = java_table(session, self.contract.raw_table)
        return int(raw.currentSnapshot().snapshotId())


@pytest.fixture
def lake(spark: SparkSession) -> Lake:
    return Lake(spark)
