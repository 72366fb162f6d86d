"""The processed tables themselves: made, widened, refused where their source is missing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from millrace.contracts import Field
from millrace.errors import MillraceError
from millrace.processed import processed_tables
from spark_jobs.batch import iceberg
from spark_jobs.batch.build_processed import Builder, Options


def at(day: int) -> datetime:
    return datetime(2026, 1, day, tzinfo=UTC)


def test_a_field_added_to_the_contract_is_a_column_from_then_on(lake: Any) -> None:
    lake.land(("A", "P1", at(1), []))
    lake.build()
    lines = lake.contract.field("lines")
    assert lines.items is not None
    item = replace(lines.items, fields=(*lines.items.fields, Field("pieces", "int")))
    fields = (*lake.contract.fields[:-1], Field("note", "string"), replace(lines, items=item))
    name = lake.contract.raw_table
    session = lake.spark.newSession()
    session.sql(f"ALTER TABLE {name} ADD COLUMN note string AFTER at")
    session.sql(f"ALTER TABLE {name} ADD COLUMN lines.element.pieces int")
    lake.use(replace(lake.contract, fields=fields))
    lake.land(("B", "P1", at(1), "fragile", [(1, "cup", 6)]))
    lake.build()
    assert lake.rows(0, "id, note") == {("A", None), ("B", "fragile")}
    assert lake.rows(1, "id, n, pieces") == {("B", 1, 6)}


def test_a_table_is_made_as_documented(lake: Any) -> None:
    lake.build()
    session = lake.spark.newSession()
    loaded = iceberg.java_table(session, lake.tables[0].identifier)
    assert dict(loaded.properties())["commit.retry.num-retries"] == "30"
    assert loaded.spec().toString().count("at_month: month") == 1
    assert loaded.schema().findField("at").doc() == "the basket's last change"
    # Nothing was landed yet, so there is nothing to say that it was read.
    assert iceberg.ancestors(session, loaded) == []


def test_a_missing_raw_table_is_named_with_its_remedy(lake: Any) -> None:
    missing = processed_tables([replace(lake.contract, dataset="nowhere")])
    failures = Builder(lake.spark, Options()).build(missing)
    assert [type(failure) for failure in failures] == [MillraceError]
    assert failures[0].thing == "raw.nowhere"
    assert failures[0].remedy == "bin/millrace apply"
