"""One local Spark session for all tests here, with an Iceberg catalog in a temporary folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from millrace.contracts import Contract, load_contracts
from millrace.processed import ProcessedTable, processed_tables
from millrace.settings import load
from spark_jobs.batch.iceberg import ONE_SNAPSHOT_A_TABLE

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
