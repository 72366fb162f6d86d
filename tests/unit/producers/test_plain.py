"""What a person sees of a record: decoded where possible, else its bytes and why not."""

from __future__ import annotations

import base64
import datetime as dt
import json

from confluent_kafka.schema_registry import SchemaRegistryClient

from millrace.contracts import Contract
from millrace_producers.encoding import make_encoder
from millrace_producers.plain import ValueDecoder, show

LOCATION = {
    "location_id": "L001",
    "name": "Hier",
    "city": "Köln",
    "country": "DE",
    "kind": "store",
    "opened_date": dt.date(2020, 1, 1),
    "updated_at": dt.datetime(2026, 5, 4, 10, 30, tzinfo=dt.UTC),
}


def test_avro_is_decoded_by_its_registered_schema(
    contracts: dict[str, Contract], registry: SchemaRegistryClient
) -> None:
    value = make_encoder(contracts["locations"], registry)(LOCATION)
    decoded = ValueDecoder(registry)(value)
    assert decoded == {"value": LOCATION}
    assert json.loads(show(decoded))["value"]["updated_at"] == "2026-05-04T10:30:00Z"
    assert "Köln" in show(decoded)


def test_what_can_not_be_decoded_is_shown_with_the_reason(
    contracts: dict[str, Contract], registry: SchemaRegistryClient
) -> None:
    decode = ValueDecoder(registry)
    cut = make_encoder(contracts["locations"], registry)(LOCATION)[:9]
    assert base64.b64decode(decode(cut)["base64"]) == cut
    assert "EOFError" in decode(cut)["problem"]
    assert "problem" in decode(b"\0\x7f\xff\xff\xff\x02")
    assert decode(b'{"a":1}') == {"value": {"a": 1}, "problem": "not framed"}
    assert decode(None) == {"value": None}
