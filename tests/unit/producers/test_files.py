"""Files to be produced: read as what they are, checked whole, refused with place and remedy."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from millrace.contracts import Contract
from millrace_producers import produce as produce_module
from millrace_producers.encoding import record_key, to_json
from millrace_producers.errors import FileError, RowError
from millrace_producers.produce import Options, checked_records

#: A good visit as JSON has it.
VISIT: dict[str, Any] = {
    "visit_id": "v1",
    "day": "2026-05-04",
    "price": "12.50",
    "seconds": 12,
    "visitor": "ada",
    "device": {"kind": "desk", "width": 2.5},
    "tags": ["a", "b"],
    "is_first": True,
    "visited_at": "2026-05-04T12:30:00+02:00",
}
#: The same as the contract's types.
TYPED = {
    **VISIT,
    "day": dt.date(2026, 5, 4),
    "price": Decimal("12.50"),
    "visited_at": dt.datetime(2026, 5, 4, 10, 30, tzinfo=dt.UTC),
}


def json_lines(path: Path, *visits: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(visit) + "\n" for visit in visits))
    return path


def csv(path: Path, **cells: str) -> Path:
    path.write_text(f"{','.join(cells)}\n{','.join(cells.values())}\n")
    return path


def read(visits: Contract, path: Path, **options: Any) -> list[dict[str, Any]]:
    return [record for _, record in checked_records(visits, path, Options(**options))()]


def test_json_lines_are_read_as_the_types_of_the_contract(visits: Contract, tmp_path: Path) -> None:
    path = tmp_path / "visits.jsonl"
    path.write_text(f"\ufeff{json.dumps(VISIT)}\n\n{json.dumps(VISIT)}")
    assert read(visits, path) == [TYPED, TYPED]


def test_csv_is_read_as_the_types_of_the_contract(visits: Contract, tmp_path: Path) -> None:
    path = csv(
        tmp_path / "visits.csv",
        visit_id="v1",
        day="2026-05-04",
        price="12.50",
        seconds="12",
        visitor="ada",
        device='"{""kind"": ""desk"", ""width"": 2.5}"',
        tags='"[""a"", ""b""]"',
        is_first="TRUE",
        visited_at="2026-05-04 10:30:00",  # without a zone it is UTC
    )
    assert read(visits, path) == [TYPED]


def test_an_empty_cell_is_null_and_a_line_end_may_stand_in_quotes(
    visits: Contract, tmp_path: Path
) -> None:
    path = tmp_path / "visits.csv"
    device = '"{""kind"":\n""desk""}"'
    path.write_text(
        "visit_id,day,seconds,device,visited_at\r\n"
        f"v1,2026-05-04,,{device},2026-05-04T10:30:00Z\r\n"
        f"v2,2026-05-04,x,{device},2026-05-04T10:30:00Z\r\n"
    )
    rows = checked_records(visits, path, Options())()
    assert next(rows)[1]["seconds"] is None
    with pytest.raises(RowError, match=r"visits\.csv:4: field seconds: seconds is 'x'"):
        next(rows)


def test_parquet_is_read_as_the_types_of_the_contract(visits: Contract, tmp_path: Path) -> None:
    naive = TYPED["visited_at"].replace(tzinfo=None)  # as pandas writes it
    table = pa.Table.from_pylist([{**TYPED, "visited_at": naive}, TYPED | {"visited_at": naive}])
    pq.write_table(table, tmp_path / "visits.parquet")
    assert read(visits, tmp_path / "visits.parquet") == [TYPED, TYPED]


def test_a_limit_reads_no_further(visits: Contract, tmp_path: Path) -> None:
    path = tmp_path / "visits.jsonl"
    path.write_text(f"{json.dumps(VISIT)}\nnot JSON\n")
    assert read(visits, path, limit=1) == [TYPED]


def test_rules_may_be_broken_on_purpose_but_types_may_not(visits: Contract, tmp_path: Path) -> None:
    path = json_lines(tmp_path / "visits.jsonl", {**VISIT, "visitor": "ADA"})
    with pytest.raises(RowError, match="visitor"):
        read(visits, path)
    assert read(visits, path, allow_bad=True)[0]["visitor"] == "ADA"
    json_lines(path, {**VISIT, "seconds": "12"})
    with pytest.raises(RowError, match="seconds"):
        read(visits, path, allow_bad=True)


@pytest.mark.parametrize(
    ("change", "place", "said"),
    [
        ({"visitor": 7}, "field visitor", "visitor is 7, not a string"),
        ({"seconds": 1.5}, "field seconds", "not a whole number"),
        ({"seconds": 2**31}, "field seconds", "does not fit int"),
        ({"is_first": 1}, "field is_first", "not true or false"),
        ({"price": "12.505"}, "field price", "does not fit decimal"),
        ({"price": "-1"}, "field price", "price is -1"),
        ({"day": "04.05.2026"}, "field day", "not a date"),
        ({"visited_at": "noon"}, "field visited_at", "not a time"),
        ({"visited_at": None}, "field visited_at", "visited_at is null"),
        ({"device": "desk"}, "field device", "not an object"),
        ({"device": {"kind": "tv"}}, "field device.kind", "device.kind is 'tv'"),
        ({"device": {"kind": "desk", "brand": "x"}}, "field device.brand", "has no such field"),
        ({"tags": ["a"] * 10}, "field tags", "tags has 10 items"),
        ({"page": "x"}, "field page", "the contract of visits has no such field"),
    ],
)
def test_a_record_that_does_not_fit_is_named_by_line_and_field(
    visits: Contract, tmp_path: Path, change: dict[str, Any], place: str, said: str
) -> None:
    path = json_lines(tmp_path / "visits.jsonl", VISIT, VISIT | change)
    with pytest.raises(RowError) as refused:
        read(visits, path)
    assert refused.value.thing == f"{path}:2: {place}"
    assert said in refused.value.cause
    assert refused.value.remedy


def test_nothing_of_a_file_with_a_fault_is_sent(
    contracts: dict[str, Contract], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        produce_module.client, "make_producer", lambda *_: pytest.fail("a producer was made")
    )
    good = {
        "location_id": "L001",
        "name": "Here",
        "city": "Here",
        "country": "DE",
        "kind": "store",
        "updated_at": "2026-05-04T10:30:00Z",
    }
    path = json_lines(tmp_path / "locations.jsonl", *[good] * 2_000, {**good, "kind": "moon"})
    with pytest.raises(RowError, match=r"locations\.jsonl:2001: field kind"):
        produce_module.produce_file(
            produce_module.Settings(home=tmp_path), contracts["locations"], path, Options()
        )
    assert not (tmp_path / "ledger").exists()


def test_a_truncated_parquet_file_is_refused(visits: Contract, tmp_path: Path) -> None:
    whole = tmp_path / "whole.parquet"
    pq.write_table(pa.Table.from_pylist([TYPED]), whole)
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(whole.read_bytes()[:-40])
    with pytest.raises(FileError, match="PAR1 is missing"):
        read(visits, cut)
    spoilt = tmp_path / "spoilt.parquet"
    spoilt.write_bytes(b"PAR1" + b"\0" * 100 + b"PAR1")
    with pytest.raises(FileError, match="can not be read as Parquet"):
        read(visits, spoilt)


def test_a_business_key_of_several_fields_is_joined_in_the_contracts_order(
    visits: Contract,
) -> None:
    assert visits.key == ("day", "visit_id")
    assert record_key(visits, TYPED) == b"2026-05-04|v1"
    assert record_key(visits, {**TYPED, "visit_id": None}) is None


def test_json_is_written_as_landing_reads_it(visits: Contract) -> None:
    written = json.loads(to_json(TYPED))
    assert written == {**VISIT, "visited_at": "2026-05-04T10:30:00Z"}
