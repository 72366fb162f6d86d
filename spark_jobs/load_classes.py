"""What the Spark applications load, loaded once and in small, for Java to keep.

`make install` runs this in one process (`millrace.dist.classes`), and Java writes the classes that
it has loaded by the end into an archive. A class that is missing there is read from its jar as
ever, so this job has to do much of what the others do, and nothing depends on its being complete.
It needs no cluster: a client of a service loads its classes when it dials where nobody listens.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterable

import pyarrow as pa
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

NOBODY = "127.0.0.1:1"
#: One batch of a stream; it takes three seconds.
STREAM_S = 60.0
BYTES = "org.apache.kafka.common.serialization.ByteArrayDeserializer"
#: What only a driver or an executor in a container of YARN loads, and what reads from a broker.
NAMED = (
    "org.apache.spark.deploy.yarn.ApplicationMaster",
    "org.apache.spark.deploy.yarn.Client",
    "org.apache.spark.deploy.yarn.ExecutorRunnable",
    "org.apache.spark.deploy.yarn.YarnAllocator",
    "org.apache.spark.deploy.yarn.YarnRMClient",
    "org.apache.spark.executor.YarnCoarseGrainedExecutorBackend",
    "org.apache.spark.scheduler.cluster.YarnClusterManager",
    "org.apache.spark.scheduler.cluster.YarnClusterScheduler",
    "org.apache.spark.scheduler.cluster.YarnClusterSchedulerBackend",
    "org.apache.spark.sql.kafka010.KafkaBatchPartitionReader",
    "org.apache.spark.sql.kafka010.KafkaMicroBatchStream",
    "org.apache.spark.sql.kafka010.consumer.KafkaDataConsumer",
)


def open_session(folder: str) -> SparkSession:
    """A session with an Iceberg catalog in a folder, and one whose metastore nobody is."""
    catalog = "spark.sql.catalog"
    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": f"file:{folder}",
        "spark.eventLog.compress": "true",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.extensions": (
            "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions"
        ),
        "spark.sql.defaultCatalog": "iceberg",
        f"{catalog}.iceberg": "org.apache.iceberg.spark.SparkCatalog",
        f"{catalog}.iceberg.type": "hadoop",
        f"{catalog}.iceberg.warehouse": f"file:{folder}/lake",
        f"{catalog}.iceberg.io-impl": "org.apache.iceberg.io.ResolvingFileIO",
        f"{catalog}.hive": "org.apache.iceberg.spark.SparkCatalog",
        f"{catalog}.hive.type": "hive",
        f"{catalog}.hive.uri": f"thrift://{NOBODY}",
        "spark.hadoop.hive.metastore.connect.retries": "0",
        "spark.hadoop.hive.metastore.failure.retries": "0",
        "spark.hadoop.ipc.client.connect.max.retries": "0",
    }
    builder = SparkSession.builder.appName("classes")
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def merge_tables(spark: SparkSession) -> None:
    """What `build_processed` does: the latest of each key, joined with what is held, merged."""
    spark.sql("create namespace shop")
    spark.sql(
        "create table shop.orders (id bigint, at timestamp, note string,"
        " lines array<struct<number: int, price: decimal(10, 2)>>)"
        " using iceberg partitioned by (months(at))"
    )
    line = "array(named_struct('number', 1, 'price', cast(1.5 as decimal(10, 2)))) as lines"
    columns = ("id", "current_timestamp() as at", "cast(id as string) as note", line)
    spark.range(100).selectExpr(*columns).writeTo("shop.orders").append()
    table = spark.table("shop.orders")
    place = "row_number() over (partition by id order by at desc) as place"
    known = table.groupBy("id").agg(F.max("at").alias("known"))
    rows = table.selectExpr("*", place).where("place = 1").join(known, "id", "left")
    rows = rows.where("at >= known").drop("known", "place")
    rows.select("id", F.explode("lines")).join(known, "id", "left_anti").collect()
    same = F.col("new.id") == F.col("orders.id")
    values = {name: F.col(f"new.{name}") for name in table.columns}
    merge = rows.alias("new").mergeInto("shop.orders", same)
    merge.whenMatched().update(values).whenNotMatched().insert(values).merge()


def stream_a_batch(spark: SparkSession, folder: str) -> None:
    """What landing does: a batch of a stream through Python's tasks."""

    def as_they_are(batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
        yield from batches

    def land(frame: DataFrame, _: int) -> None:
        frame.coalesce(1).mapInArrow(as_they_are, frame.schema).collect()

    query = (
        spark.readStream.format("rate")
        .load()
        .writeStream.foreachBatch(land)
        .option("checkpointLocation", f"file:{folder}/checkpoint")
        .trigger(processingTime="1 second")
        .start()
    )
    deadline = time.monotonic() + STREAM_S
    while query.lastProgress is None and time.monotonic() < deadline:
        time.sleep(0.2)
    query.stop()


def dial_kafka(spark: SparkSession) -> None:
    """As a driver, and as an executor."""
    options = {
        "kafka.bootstrap.servers": NOBODY,
        "kafka.request.timeout.ms": "500",
        "kafka.default.api.timeout.ms": "1000",
        "fetchOffset.numRetries": "1",
        "subscribe": "none",
        "includeHeaders": "true",
    }
    with contextlib.suppress(Py4JJavaError, PySparkException):
        spark.read.format("kafka").options(**options).load().collect()
    java = spark._jvm
    assert java
    properties = java.java.util.Properties()
    for name in ("key.deserializer", "value.deserializer"):
        properties.setProperty(name, BYTES)
    properties.setProperty("bootstrap.servers", NOBODY)
    properties.setProperty("default.api.timeout.ms", "1000")
    consumer = java.org.apache.kafka.clients.consumer.KafkaConsumer(properties)
    with contextlib.suppress(Py4JJavaError):
        consumer.listTopics()
    consumer.close()


def dial_hadoop(spark: SparkSession) -> None:
    """HDFS, YARN and the metastore."""
    java = spark._jvm
    assert java
    configuration = spark.sparkContext._jsc.hadoopConfiguration()
    path = java.org.apache.hadoop.fs.Path(f"hdfs://{NOBODY}/none")
    with contextlib.suppress(Py4JJavaError):
        path.getFileSystem(configuration).exists(path)
    client = java.org.apache.hadoop.yarn.client.api.YarnClient.createYarnClient()
    client.init(java.org.apache.hadoop.yarn.conf.YarnConfiguration(configuration))
    client.start()
    client.stop()
    with contextlib.suppress(Py4JJavaError, PySparkException):
        spark.sql("show namespaces in hive").collect()


def load_named(spark: SparkSession) -> None:
    """The classes of `NAMED`.

    Raises:
        Py4JJavaError: this Spark has one of them no more.
    """
    java = spark._jvm
    assert java
    loader = java.java.lang.Thread.currentThread().getContextClassLoader()
    for name in NAMED:
        # Without its static block, which may want to be in a container.
        java.java.lang.Class.forName(name, False, loader)


def main() -> None:
    """Do all of it in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        spark = open_session(folder)
        merge_tables(spark)
        stream_a_batch(spark, folder)
        dial_kafka(spark)
        dial_hadoop(spark)
        load_named(spark)
        spark.stop()


if __name__ == "__main__":
    main()
