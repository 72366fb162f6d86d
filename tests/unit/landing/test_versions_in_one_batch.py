"""Records of several versions of a contract in one batch: each by its own writer schema."""

from __future__ import annotations

import dataclasses
import io
from typing import Any

from fastavro import parse_schema, schemaless_writer

from millrace.contracts.model import Contract, Field
from millrace.landing.schemas import RegisteredSchema
from millrace.landing.sift import compile_sifter

KEY = Field("visit_id", "string", required=True, key=True)
#: The history of one contract, a version a change that is allowed.
FIRST = Contract(
    "visits",
    "visits",
    "1",
    "",
    "",
    (KEY, Field("page", "string", required=True), Field("seconds", "int", required=True)),
)
VERSIONS = {
    1: FIRST.fields,
    # One field more, and one that needs no value any more.
    2: (KEY, FIRST.fields[1], Field("seconds", "int"), Field("weight", "float")),
    # Wider.
    3: (KEY, FIRST.fields[1], Field("seconds", "long"), Field("weight", "double")),
    # Renamed.
    4: (
        KEY,
        Field("url", "string", required=True, aliases=("page",)),
        Field("seconds", "long"),
        Field("weight", "double"),
    ),
}
CONTRACTS = {number: dataclasses.replace(FIRST, fields=each) for number, each in VERSIONS.items()}
RECORDS: dict[int, dict[str, Any]] = {
    1: {"visit_id": "a", "page": "/1", "seconds": 1},
    2: {"visit_id": "b", "page": "/2", "seconds": None, "weight": 0.5},
    3: {"visit_id": "c", "page": "/3", "seconds": 2**40, "weight": 1e300},
    4: {"visit_id": "d", "url": "/4", "seconds": 4, "weight": None},
}


class Schemas:
    """The registry: the id of a version is its number."""

    def by_id(self, schema_id: int, subject: str) -> RegisteredSchema | None:
        schema = CONTRACTS[schema_id].avro_schema()
        return RegisteredSchema(schema, frozenset({subject}))


def framed(version: int) -> bytes:
    out = io.BytesIO(b"\0" + version.to_bytes(4, "big"))
    out.seek(5)
    schemaless_writer(out, parse_schema(CONTRACTS[version].avro_schema()), RECORDS[version])
    return out.getvalue()


def test_every_version_lands_in_the_columns_of_the_newest() -> None:
    order = [4, 1, 3, 2, 1, 4]
    sifted = compile_sifter(CONTRACTS[4], Schemas())([framed(version) for version in order])
    assert not sifted.bad
    assert sifted.schema_ids == order
    rows = dict(zip(order, sifted.rows, strict=True))
    assert rows == {
        1: {"visit_id": "a", "url": "/1", "seconds": 1, "weight": None},
        2: {"visit_id": "b", "url": "/2", "seconds": None, "weight": 0.5},
        3: {"visit_id": "c", "url": "/3", "seconds": 2**40, "weight": 1e300},
        4: {"visit_id": "d", "url": "/4", "seconds": 4, "weight": None},
    }
