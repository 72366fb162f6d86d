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


def test_a_renamed_field_keeps_its_column_also_as_a_key_and_in_the_items(lake: Any) -> None:
    """What is merged before and after meets the same row, under the new name."""
    lake.land(("A", "P1", at(1), [(1, "cup")]))
    lake.build()
    known = {field.name: field for field in lake.contract.fields}
    item = known["lines"].items
    assert item is not None
    what = replace(item.fields[1], name="article", aliases=("what",))
    new = {
        "id": replace(known["id"], name="basket_id", aliases=("id",)),
        "at": replace(known["at"], name="changed_at", aliases=("at",)),
        "lines": replace(known["lines"], items=replace(item, fields=(item.fields[0], what))),
    }
    session = lake.spark.newSession()
    for former, name in (("id", "basket_id"), ("at", "changed_at")):
        session.sql(f"ALTER TABLE {lake.contract.raw_table} RENAME COLUMN {former} TO {name}")
    raw = lake.contract.raw_table
    session.sql(f"ALTER TABLE {raw} RENAME COLUMN lines.element.what TO article")
    lake.use(
        replace(
            lake.contract,
            key=("basket_id",),
            event_time="changed_at",
            fields=tuple(new.get(each.name, each) for each in lake.contract.fields),
        )
    )
    lake.land(("A", "P2", at(2), [(1, "jug")]), ("B", "P1", at(1), [(1, "cup")]))
    lake.build()
    assert lake.rows(0, "basket_id, day(changed_at)") == {("A", 2), ("B", 1)}
    assert lake.rows(1, "basket_id, n, article") == {("A", 1, "jug"), ("B", 1, "cup")}


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
