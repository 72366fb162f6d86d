"""L5: every column is what an independent decoding says."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import avro.io
import avro.schema
import pyarrow as pa
import pytest

from millrace.contracts.model import Contract, Field
from millrace.verify.decode import Decoder, UndecodableError

RAW, QUARANTINE = "raw.visits", "raw.quarantine"


def only(world: Any, table: str, offset: int, **values: Any) -> None:
    """Change columns of the row at an offset."""
    world.change(
        table,
        lambda rows: [{**row, **values} if row["kafka_offset"] == offset else row for row in rows],
    )


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("page", "Home"),
        ("page", None),
        ("at", datetime(2026, 1, 2, 3, 4, 5, 7, UTC)),
        ("price", Decimal("1.51")),
        ("share", 0.25),
        ("tags", ["b", "a"]),
        ("tags", None),
        ("tags", []),
        ("kafka_key", b"other"),
        ("kafka_headers", []),
        ("kafka_at", datetime(2026, 1, 1, tzinfo=UTC)),
        ("value", b'{"page": "b"}'),
        ("value_sha256", "0" * 64),
        ("is_tombstone", True),
        ("schema_id", 7),
    ],
)
def test_any_column_that_was_changed_is_named_with_its_position(
    world: Any, column: str, value: object
) -> None:
    only(world, RAW, 1, **{column: value})
    found = [each for each in world.verify().findings if each.law == "L5"]
    assert f" {column} " in found[0].text
    assert {each.positions for each in found} == {((0, 1),)}


@pytest.mark.parametrize("column", ["value", "value_sha256", "kafka_key", "kafka_at"])
def test_quarantine_keeps_what_was_sent(world: Any, column: str) -> None:
    other = {"kafka_at": datetime(2026, 1, 1, tzinfo=UTC), "value_sha256": "0" * 64}
    only(world, QUARANTINE, 3, **{column: other.get(column, b"other")})
    (found, *_) = [each for each in world.verify().findings if each.law == "L5"]
    assert f" {column} " in found.text
    assert found.positions == ((0, 3),)


def test_two_rows_that_swapped_a_value_are_both_named(world: Any) -> None:
    def swap(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        rows[0]["page"], rows[1]["page"] = rows[1]["page"], rows[0]["page"]
        return rows

    world.change(RAW, swap)
    (found,) = world.verify().findings
    assert (found.law, found.positions) == ("L5", ((0, 0), (0, 1)))


def test_a_corrected_replay_is_held_to_its_own_bytes(world: Any) -> None:
    row = world.raw_row({**world.log.rows[3], "value": b'{"page": "mended"}'})
    world.put(RAW, [{**row, "page": "other"}], 6)
    marks = {"status": "replayed", "replayed_sha256": row["value_sha256"]}
    world.change(QUARANTINE, lambda rows: [{**each, **marks} for each in rows])
    report = world.verify()
    assert [each.text for each in report.findings] == [
        "1 record has another page than its bytes say"
    ]
    assert report.counts["visits"]["corrected"] == 1


@pytest.mark.parametrize("column", ["page", "share", "tags", "price"])
def test_a_null_is_nothing_else_that_is_empty(world: Any, column: str) -> None:
    record = {"page": "", "at": None, "price": "0", "share": 0.0, "tags": []}
    world.send(json.dumps(record).encode())
    world.land()
    assert world.verify().ok
    only(world, RAW, 6, **{column: None})
    assert f" {column} " in world.broken()["L5"][0]


def test_a_replay_corrects_the_value_and_nothing_else(world: Any) -> None:
    value = b'{"page": "mended"}'
    row = world.raw_row({**world.log.rows[3], "value": value, "kafka_key": b"other"})
    world.put(RAW, [row], 6)
    marks = {"status": "replayed", "replayed_sha256": row["value_sha256"]}
    world.change(QUARANTINE, lambda rows: [{**each, **marks} for each in rows])
    assert world.broken() == {"L5": ["1 record has another kafka_key than the topic"]}


def test_a_replay_is_held_to_the_digest_that_it_noted(world: Any) -> None:
    row = world.raw_row({**world.log.rows[3], "value": b'{"page": "mended"}'})
    world.put(RAW, [row], 6)
    for digest, is_right in ((row["value_sha256"], True), ("0" * 64, False)):
        marks = {"status": "replayed", "replayed_sha256": digest}
        world.change(QUARANTINE, lambda rows, m=marks: [{**each, **m} for each in rows])
        assert world.verify().ok is is_right


def test_a_corrected_replay_into_a_table_without_bytes_is_held_to_its_digest(world: Any) -> None:
    world.contract = replace(world.contract, keep_value=False)
    with world.table(RAW).update_schema() as change:
        change.delete_column("value")
    row = world.raw_row({**world.log.rows[3], "value": b'{"page": "mended"}'})
    world.put(RAW, [row], 6)
    marks = {"status": "replayed", "replayed_sha256": row["value_sha256"]}
    world.change(QUARANTINE, lambda rows: [{**each, **marks} for each in rows])
    report = world.verify()
    assert report.findings == ()
    assert any("1 rows were replayed with a corrected value" in note for note in report.notes)
    only(world, RAW, 1, page="other")
    only(world, RAW, 3, value_sha256="0" * 64)
    assert world.broken()["L5"] == [
        "1 record has another page than its bytes say",
        "1 record has another value_sha256 than its replay says (replayed_sha256)",
    ]


def test_what_the_topic_has_no_more_is_held_to_the_ledgers_digest(world: Any) -> None:
    world.log.begin = 6
    report = world.verify()
    assert report.ok
    assert report.counts["visits"]["not in the topic"] == 6
    forged = world.log.rows[1]["value"].replace(b'"b", "at"', b'"forged", "at"')
    digest = hashlib.sha256(forged).hexdigest()
    row = world.raw_row({**world.log.rows[1], "value": forged})
    only(world, RAW, 1, **{**row, "value_sha256": digest})
    (found,) = [each for each in world.verify().findings if each.law == "L5"]
    assert "another digest than the ledger" in found.text


def test_a_column_of_the_contract_that_the_table_lacks_is_named(world: Any) -> None:
    more = Field("referrer", "string")
    world.contract = replace(world.contract, fields=(*world.contract.fields, more))
    assert "referrer" in world.broken()["L5"][0]


def test_a_landed_record_that_decodes_to_nothing_is_named(world: Any) -> None:
    world.send(b"no json")
    row = world.raw_row({**world.log.rows[6], "value": None})
    digest = hashlib.sha256(b"no json").hexdigest()
    world.put(RAW, [{**row, "value": b"no json", "value_sha256": digest}], 7)
    assert any("decode to none" in text for text in world.broken()["L5"])


INNER = (Field("n", "int", required=True), Field("on", "date", aliases=("day",)))
CONTRACT = Contract(
    "visits",
    "visits",
    "1",
    "",
    "",
    (
        Field("page", "string", required=True, aliases=("path",)),
        Field("at", "timestamp"),
        Field("price", "decimal(9,2)"),
        Field("many", "array", items=Field("item", "struct", fields=INNER)),
    ),
)


def framed(value: dict[str, Any], schema: Any, schema_id: int = 3) -> bytes:
    """A framed record, written by Apache's library."""
    stream = io.BytesIO(b"\0" + schema_id.to_bytes(4, "big"))
    stream.seek(5)
    writer = avro.io.DatumWriter(avro.schema.parse(json.dumps(schema)))
    writer.write(value, avro.io.BinaryEncoder(stream))
    return stream.getvalue()


def decoder(*schemas: Any) -> Decoder:
    texts = {number: json.dumps(schema) for number, schema in enumerate(schemas, start=3)}
    return Decoder(CONTRACT, texts.get)


AT = datetime(2026, 1, 2, 3, 4, 5, 6, UTC)
RECORD = {"page": "home", "at": AT, "price": Decimal("1.50"), "many": [{"n": 1, "on": AT.date()}]}


def test_avro_is_decoded_with_the_schema_it_was_written_with() -> None:
    schema = CONTRACT.avro_schema()
    columns = decoder(schema).decode(framed(RECORD, schema))
    assert columns["page"] == "home"
    assert pa.array([columns["at"]], pa.timestamp("us", "UTC")).to_pylist() == [AT]
    assert (columns["price"], columns["many"]) == (Decimal("1.50"), [{"n": 1, "on": 20455}])


def test_a_field_is_found_under_its_former_name_at_every_depth() -> None:
    before = replace(
        CONTRACT,
        fields=(
            Field("path", "string", required=True),
            Field("many", "array", items=Field("item", "struct", fields=(Field("day", "date"),))),
        ),
    ).avro_schema()
    record = {"path": "home", "many": [{"day": AT.date()}]}
    columns = decoder(before).decode(framed(record, before))
    assert (columns["page"], columns["price"]) == ("home", None)
    assert columns["many"] == [{"n": None, "on": 20455}]


@pytest.mark.parametrize("more", [b"\0", b"\0\0\0\0\3rest", b""])
def test_bytes_that_are_no_record_are_not_decoded(more: bytes) -> None:
    with pytest.raises(UndecodableError):
        decoder(CONTRACT.avro_schema()).decode(more)


def test_left_over_bytes_are_no_record() -> None:
    schema = CONTRACT.avro_schema()
    with pytest.raises(UndecodableError, match="left over"):
        decoder(schema).decode(framed(RECORD, schema) + b"\0")


def test_a_schema_that_the_registry_does_not_have_is_named() -> None:
    schema = CONTRACT.avro_schema()
    with pytest.raises(UndecodableError, match="no schema 9"):
        decoder(schema).decode(framed(RECORD, schema, 9))


def test_times_of_json_are_the_same_instant_in_any_zone() -> None:
    json_contract = replace(CONTRACT, format="json")
    record = {"page": "a", "at": (AT + timedelta(0)).isoformat(), "many": [{"n": 1, "on": None}]}
    columns = Decoder(json_contract, {}.get).decode(json.dumps(record).encode())
    assert columns["at"] == 1767323045000006
