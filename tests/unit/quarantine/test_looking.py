"""What people and DAGs are told of quarantine: counts, shares, single records, dead letters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest

from millrace.cli.moments import Since
from millrace.cli.quarantine_options import PositionType
from millrace.contracts.names import QUARANTINE_TABLE
from millrace.landing.errors import TableMissingError
from millrace.quarantine.corrected import read_value
from millrace.quarantine.counts import Share, count_classes, newest, refuse_bad, shares
from millrace.quarantine.dead_letters import headers_of, name_of
from millrace.quarantine.errors import StillBadError, TurnedBadError, ValueFileError
from millrace.quarantine.records import Position, Selection, load_quarantine, read
from millrace.quarantine.show import describe, dump, page
from millrace.settings import load

if TYPE_CHECKING:
    from tests.unit.quarantine.conftest import Bed


def test_records_are_counted_by_class_and_state(corrected: Bed) -> None:
    corrected.replay(3)
    counts = count_classes(corrected.catalog, Selection())
    assert [(each.reason, each.status, each.records) for each in counts] == [
        ("missing_field", "open", 2),
        ("missing_field", "replayed", 1),
        ("undecodable", "open", 1),
    ]
    assert not count_classes(corrected.catalog, Selection(datasets=("others",)))


def test_the_newest_records_come_first(landed: Bed) -> None:
    first, *others = newest(landed.catalog, Selection(reasons=("missing_field",)), 2)
    assert first.position == Position("visits", 0, 9)
    assert (len(others), first.value) == (1, None)


@pytest.mark.parametrize(
    ("selection", "offsets"),
    [
        (Selection(), [0, 3, 6, 9]),
        (Selection(statuses=("replayed",)), [3]),
        (Selection(statuses=("open", "replayed"), reasons=("missing_field",)), [0, 3, 9]),
        (Selection(since=datetime.now(UTC) + timedelta(days=1)), []),
        (Selection(since=datetime.now(UTC) - timedelta(days=1)), [0, 3, 6, 9]),
        (Selection(positions=(Position("visits", 0, 0), Position("visits", 1, 3))), [0]),
    ],
)
def test_a_selection_narrows(corrected: Bed, selection: Selection, offsets: list[int]) -> None:
    corrected.replay(3)
    parts = read(load_quarantine(corrected.catalog), selection)
    assert sorted(each.position.offset for part in parts for each in part) == offsets


def test_a_stream_that_turned_bad_fails_and_a_few_bad_records_do_not(landed: Bed) -> None:
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    (share,) = shares(landed.catalog, [landed.contract], hour_ago)
    assert (share.landed, share.bad, share.percent) == (6, 4, 40.0)
    refuse_bad([share], at_least=5)
    with pytest.raises(TurnedBadError, match=r"visits: 4 of 10 records are bad \(40\.0 %"):
        refuse_bad([share], at_least=4)
    (later,) = shares(landed.catalog, [landed.contract], datetime.now(UTC) + timedelta(hours=1))
    assert (later.landed, later.bad, later.percent) == (0, 0, 0.0)


def test_a_share_at_its_bound_is_borne() -> None:
    refuse_bad([Share("visits", landed=95, bad=5, most_percent=5)], at_least=1)


def test_a_quarantine_table_of_an_older_version_names_make_apply(landed: Bed) -> None:
    update = landed.table(QUARANTINE_TABLE).update_schema()
    update.delete_column("replayed_sha256").commit()
    with pytest.raises(TableMissingError) as refused:
        load_quarantine(landed.catalog)
    assert refused.value.remedy == "make apply"


def record(bed: Bed, offset: int) -> Any:
    chosen = Selection(positions=(Position("visits", 0, offset),))
    ((found,),) = read(load_quarantine(bed.catalog), chosen)
    return found


class NoSchemas:
    def by_id(self, schema_id: int, subject: str) -> None:
        return None


def test_a_record_is_shown_with_what_its_contract_says_today(landed: Bed) -> None:
    told = describe(record(landed, 3), landed.contract, NoSchemas())
    assert (told["position"], told["text"], told["key"]) == ("visits:0:3", "{}", "k")
    assert (told["decoded"], told["headers"]) == ({}, [["h", "v"]])
    assert told["today"] == "bad (missing_field): page is absent"
    landed.correct()
    told = describe(record(landed, 3), landed.contract, NoSchemas())
    assert told["today"] == "good: a replay would land it"
    assert "page is absent" in page(told)
    assert "is gone" in describe(record(landed, 3), None, NoSchemas())["today"]


def test_bytes_that_are_no_text_are_shown_in_hexadecimal() -> None:
    assert dump(b"\x00\x00A~\xff") == ["000000  00 00 41 7e ff" + " " * 35 + "..A~."]


def test_a_dead_letter_keeps_the_headers_and_names_its_record(landed: Bed) -> None:
    headers = dict(headers_of(record(landed, 3)))
    assert headers["h"] == b"v"
    for name, value in {
        "topic": b"visits",
        "partition": b"0",
        "offset": b"3",
        "reason": b"missing_field",
        "field": b"page",
        "detail": b"page is absent",
    }.items():
        assert headers[f"millrace-dlq-{name}"] == value
    assert "millrace-dlq-schema-id" not in headers
    assert name_of(headers_of(record(landed, 3))) == name_of(headers.items())
    assert name_of(headers_of(record(landed, 3))) != name_of(headers_of(record(landed, 6)))


@pytest.mark.parametrize(
    ("text", "position"),
    [("orders:0:123", Position("orders", 0, 123)), ("a.b-c:12:0", Position("a.b-c", 12, 0))],
)
def test_a_position_reads_as_it_is_written(text: str, position: Position) -> None:
    assert PositionType().convert(text, None, None) == position
    assert str(position) == text


@pytest.mark.parametrize("text", ["orders", "orders:0", ":0:1", "orders:x:1", "orders:0:"])
def test_what_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="orders:0:123"):
        PositionType().convert(text, None, None)


def test_a_moment_is_so_long_ago_or_a_time_in_utc() -> None:
    ago = datetime.now(UTC) - Since().convert("90m", None, None)
    assert abs(ago - timedelta(minutes=90)) < timedelta(seconds=5)
    assert Since().convert("2026-05-04T10:30", None, None) == datetime(
        2026, 5, 4, 10, 30, tzinfo=UTC
    )
    for text in ("yesterday", "9999999d", "99999999999999d"):
        with pytest.raises(click.BadParameter, match="no moment"):
            Since().convert(text, None, None)


@pytest.mark.parametrize(
    ("content", "error", "told"),
    [
        (b" \n", ValueFileError, "it is empty"),
        (b"{", ValueFileError, "not one JSON record"),
        (b"[1]", ValueFileError, "no object"),
        (b'{"nobody": 1}', ValueFileError, "no field nobody"),
        (b'{"location_id": "?"}', StillBadError, "bad_format"),
    ],
)
def test_a_file_that_holds_no_good_value_says_why(
    tmp_path: Path, content: bytes, error: type[Exception], told: str
) -> None:
    from millrace.contracts import load_contracts  # noqa: PLC0415

    file = tmp_path / "value.json"
    file.write_bytes(content)
    with pytest.raises(error, match=told):
        read_value(file, load_contracts()["locations"], load())


def test_the_bytes_of_a_json_record_are_taken_as_they_are(landed: Bed, tmp_path: Path) -> None:
    file = tmp_path / "value.json"
    file.write_bytes(b'{"page": "p"}\n')
    assert read_value(file, landed.contract, load()) == b'{"page": "p"}\n'
