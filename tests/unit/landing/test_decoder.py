"""Bytes to records: framing, writer schemas, JSON, and what is refused."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_writer

from millrace.contracts.model import Contract, Field
from millrace.landing.decoder import LARGEST_VALUE_BYTES, Decoder
from millrace.landing.reasons import Rejected
from millrace.landing.schemas import RegisteredSchema

FIELDS = (Field("id", "string", required=True), Field("at", "timestamp", required=True))
AVRO = Contract("things", "things", "1", "", "", FIELDS)
JSON = Contract("things", "things", "1", "", "", FIELDS, format="json")

FIRST = AVRO.avro_schema()
#: A later version of the contract: one field more.
SECOND = {
    **FIRST,
    "fields": [*FIRST["fields"], {"name": "note", "type": ["null", "string"], "default": None}],
}
MILLIS = json.loads(json.dumps(FIRST).replace("timestamp-micros", "timestamp-millis"))


KNOWN = {
    1: RegisteredSchema(FIRST, frozenset({"things-value"})),
    2: RegisteredSchema(SECOND, frozenset({"things-value"})),
    3: RegisteredSchema(FIRST, frozenset({"others-value"})),
    4: RegisteredSchema({"title": "no Avro"}, frozenset({"things-value"})),
    5: RegisteredSchema(MILLIS, frozenset({"things-value"})),
}


class Schemas:
    """A registry in memory."""

    def by_id(self, schema_id: int, subject: str) -> RegisteredSchema | None:
        return KNOWN.get(schema_id)


def framed(schema_id: int, record: dict[str, Any], writer: Any = FIRST) -> bytes:
    out = io.BytesIO(b"\0" + schema_id.to_bytes(4, "big", signed=True))
    out.seek(5)
    schemaless_writer(out, parse_schema(writer), record)
    return out.getvalue()


GOOD = {"id": "a", "at": 1_000_000}


def reason(value: bytes, contract: Contract = AVRO) -> str:
    with pytest.raises(Rejected) as refused:
        Decoder(contract, Schemas()).decode(value)
    return str(refused.value.reason)


def test_a_framed_record_gives_its_fields_and_its_schema_id() -> None:
    decoded = Decoder(AVRO, Schemas()).decode(framed(1, GOOD))
    assert (decoded.record, decoded.schema_id) == (GOOD, 1)


def test_records_of_two_writer_schemas_decode_side_by_side() -> None:
    decoder = Decoder(AVRO, Schemas())
    newer = decoder.decode(framed(2, {**GOOD, "note": "n"}, SECOND)).record
    older = decoder.decode(framed(1, GOOD)).record
    assert (newer["note"], older) == ("n", GOOD)


def test_a_time_written_in_milliseconds_is_the_same_time() -> None:
    record = Decoder(AVRO, Schemas()).decode(framed(5, {"id": "a", "at": 1_000}, MILLIS)).record
    assert record["at"].timestamp() == 1


@pytest.mark.parametrize("value", [b"", b"\0\0\0\0", b'{"id": "a"}', b"\1\0\0\0\1rest"])
def test_bytes_without_the_registrys_header_are_not_framed(value: bytes) -> None:
    assert reason(value) == "not_framed"


@pytest.mark.parametrize("schema_id", [99, 0, -1])
def test_an_id_that_is_not_in_the_registry_is_an_unknown_schema(schema_id: int) -> None:
    assert reason(framed(schema_id, GOOD)) == "unknown_schema"


@pytest.mark.parametrize("schema_id", [3, 4])
def test_a_schema_of_another_subject_or_format_is_a_mismatch(schema_id: int) -> None:
    assert reason(framed(schema_id, GOOD)) == "schema_mismatch"


@pytest.mark.parametrize("end", [-1, -5])
def test_a_truncated_record_is_undecodable(end: int) -> None:
    assert reason(framed(1, GOOD)[:end]) == "undecodable"


def test_bytes_left_over_make_a_record_undecodable() -> None:
    assert reason(framed(1, GOOD) + b"x") == "undecodable"


def test_the_verdict_on_an_undecodable_record_carries_its_schema_id() -> None:
    with pytest.raises(Rejected) as refused:
        Decoder(AVRO, Schemas()).decode(framed(1, GOOD)[:-1])
    assert refused.value.schema_id == 1


def test_a_huge_record_is_too_large_in_either_format() -> None:
    huge = b"\0" * (LARGEST_VALUE_BYTES + 1)
    assert {reason(huge), reason(huge, JSON)} == {"too_large"}


def test_json_decodes_with_and_without_the_registrys_header() -> None:
    decoder = Decoder(JSON, Schemas())
    plain, framed_ = decoder.decode(b'{"id": "a"}'), decoder.decode(b'\0\0\0\0\7{"id": "a"}')
    assert plain.record == framed_.record == {"id": "a"}
    assert (plain.schema_id, framed_.schema_id) == (None, 7)


@pytest.mark.parametrize(
    "value",
    [b"", b"{", b"\xff\xfe", b'{"id": NaN}', b"[" * 100_000, b'{"a": 1}{"a": 2}', b"9" * 5000],
)
def test_bytes_that_are_not_json_are_undecodable(value: bytes) -> None:
    assert reason(value, JSON) == "undecodable"
