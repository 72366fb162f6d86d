"""Replay lands a record once, and keeps what is known of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from pyiceberg.types import StringType

from millrace.contracts.model import Field
from millrace.contracts.names import QUARANTINE_TABLE
from millrace.lake.offsets import SUMMARY_KEY, recorded
from millrace.landing.positions import LogState
from millrace.landing.reasons import Rejected
from millrace.quarantine.discard import discard
from millrace.quarantine.errors import NotQuarantinedError
from millrace.quarantine.records import Position, Selection, load_quarantine, read

if TYPE_CHECKING:
    from tests.unit.quarantine.conftest import Bed

ALL = list(range(10))


def test_after_the_contract_is_corrected_the_good_ones_land_and_keep_their_link(
    corrected: Bed,
) -> None:
    done = corrected.replay()
    assert (done.landed, done.present, dict(done.bad)) == (3, 0, {"undecodable": 1})
    assert corrected.raw() == [0, 1, 2, 3, 4, 5, 7, 8, 9]
    rows = {row["kafka_offset"]: row for row in corrected.rows(QUARANTINE_TABLE)}
    assert {at: row["status"] for at, row in rows.items()} == {
        0: "replayed",
        3: "replayed",
        6: "open",
        9: "replayed",
    }
    assert rows[3]["resolution"] == "replayed as sent"
    assert rows[3]["replayed_sha256"] == rows[3]["value_sha256"]
    assert rows[3]["resolved_at"] >= rows[3]["quarantined_at"]
    assert (rows[3]["kafka_key"], rows[3]["kafka_headers"]) == (b"k", [{"key": "h", "value": b"v"}])
    raw = {row["kafka_offset"]: row for row in corrected.rows("raw.visits")}
    for column in ("kafka_at", "kafka_key", "kafka_headers", "value", "value_sha256"):
        assert raw[3][column] == rows[3][column]


def test_a_record_without_headers_stays_without(corrected: Bed) -> None:
    assert corrected.headers(QUARANTINE_TABLE, 9) == [None]
    corrected.replay()
    assert corrected.states_of()[9] == "replayed"
    assert corrected.headers(QUARANTINE_TABLE, 9) == corrected.headers("raw.visits", 9) == [None]
    assert corrected.headers("raw.visits", 3) == [[{"key": "h", "value": b"v"}]]


def test_replay_moves_no_offsets_and_landing_goes_on(corrected: Bed) -> None:
    lander = corrected.driver()
    before = recorded(corrected.table("raw.visits"))
    corrected.replay()
    snapshot = corrected.table("raw.visits").current_snapshot()
    assert snapshot is not None
    assert snapshot.summary is not None
    assert (recorded(corrected.table("raw.visits")), snapshot.summary["millrace.replayed"]) == (
        before,
        "3",
    )
    marked = corrected.table(QUARANTINE_TABLE).current_snapshot()
    assert marked is not None
    assert marked.summary is not None
    assert SUMMARY_KEY in marked.summary.additional_properties
    corrected.values |= {10: b'{"page": "p"}', 11: b"{"}
    corrected.log = LogState("id-1", {0: 0}, {0: 12})
    corrected.land(12, lander)
    assert (corrected.raw()[-1], corrected.states_of()[11]) == (10, "open")


def test_a_second_replay_changes_nothing(corrected: Bed) -> None:
    corrected.replay()
    names = ("raw.visits", QUARANTINE_TABLE)
    before = [corrected.table(name).metadata.current_snapshot_id for name in names]
    done = corrected.replay()
    assert (done.landed, done.present, dict(done.bad)) == (0, 0, {"undecodable": 1})
    done = corrected.replay(0, 3)
    assert (done.landed, done.present) == (0, 2)
    assert [corrected.table(name).metadata.current_snapshot_id for name in names] == before


def test_records_that_still_are_bad_stay_open_with_the_reason_they_have_now(landed: Bed) -> None:
    other = Field("visitor", "string", required=True)
    landed.table("raw.visits").update_schema().add_column("visitor", StringType()).commit()
    page = replace(landed.contract.fields[0], required=False)
    landed.contract = replace(landed.contract, fields=(page, other))
    assert dict(landed.replay().bad) == {"missing_field": 3, "undecodable": 1}
    rows = {row["kafka_offset"]: row for row in landed.rows(QUARANTINE_TABLE)}
    assert (rows[3]["status"], rows[3]["field"]) == ("open", "visitor")
    assert "visitor" in rows[3]["detail"]
    assert landed.raw() == [1, 2, 4, 5, 7, 8]


def record(bed: Bed, offset: int) -> Any:
    chosen = Selection(positions=(Position("visits", 0, offset),))
    ((found,),) = read(load_quarantine(bed.catalog), chosen)
    return found


def test_a_corrected_value_lands_and_the_row_keeps_the_original(landed: Bed) -> None:
    done = landed.replayer().one(record(landed, 6), b'{"page": "mended"}')
    assert not isinstance(done, Rejected)
    assert done.landed == 1
    (row,) = (row for row in landed.rows("raw.visits") if row["kafka_offset"] == 6)
    (kept,) = (row for row in landed.rows(QUARANTINE_TABLE) if row["kafka_offset"] == 6)
    assert (row["page"], row["value"]) == ("mended", b'{"page": "mended"}')
    assert (kept["value"], kept["resolution"]) == (b"{", "replayed with a corrected value")
    assert kept["replayed_sha256"] == row["value_sha256"] != kept["value_sha256"]


def test_a_corrected_value_that_is_bad_changes_nothing(landed: Bed) -> None:
    before = landed.rows(QUARANTINE_TABLE)
    verdict = landed.replayer().one(record(landed, 6), b'{"page": 1}')
    assert isinstance(verdict, Rejected)
    assert str(verdict.reason) == "wrong_type"
    assert (landed.rows(QUARANTINE_TABLE), 6 in landed.raw()) == (before, False)


def test_a_second_corrected_value_finds_the_first(landed: Bed) -> None:
    landed.replayer().one(record(landed, 6), b'{"page": "first"}')
    done = landed.replayer().one(record(landed, 6), b'{"page": "second"}')
    assert not isinstance(done, Rejected)
    assert (done.landed, done.present) == (0, 1)
    (row,) = (row for row in landed.rows("raw.visits") if row["kafka_offset"] == 6)
    assert row["page"] == "first"


def test_after_a_rollback_of_raw_a_named_record_is_replayed_again(corrected: Bed) -> None:
    before = corrected.table("raw.visits").metadata.current_snapshot_id
    assert before is not None
    corrected.replay()
    corrected.table("raw.visits").manage_snapshots().set_current_snapshot(before).commit()
    assert 3 not in corrected.raw()
    assert corrected.replay(3).landed == 1
    assert (corrected.raw().count(3), corrected.states_of()[3]) == (1, "replayed")


def test_a_position_that_is_not_in_quarantine_is_named(landed: Bed) -> None:
    with pytest.raises(NotQuarantinedError, match="visits:0:1"):
        landed.replay(1)


GOOD = b'{"page": "new"}'


def times(bed: Bed, table: str, offset: int) -> list[int]:
    """Which of its topics each record at the offset is of, by the second the topic was born in."""
    rows = bed.rows(table)
    return [int(row["kafka_at"].timestamp()) for row in rows if row["kafka_offset"] == offset]


def states(bed: Bed, offset: int) -> list[str]:
    """The states of the rows at the offset, the former topic's first."""
    rows = bed.rows(QUARANTINE_TABLE)
    return [row["status"] for row in rows if row["kafka_offset"] == offset]


def test_of_a_topic_and_the_one_before_it_the_living_ones_record_lands(landed: Bed) -> None:
    landed.create_again({**dict.fromkeys(ALL, GOOD), 3: b"{}"})
    landed.land(10)
    landed.correct()
    done = landed.replay()
    assert (done.landed, sorted(each.offset for each in done.taken)) == (1, [0, 3, 6, 9])
    assert times(landed, "raw.visits", 3) == [2]
    assert states(landed, 3) == ["open", "replayed"]


def test_the_remedy_for_a_former_topics_record_leaves_the_living_one(corrected: Bed) -> None:
    corrected.create_again({**dict.fromkeys(ALL, GOOD), 3: b"{"})
    corrected.land(10)
    done = corrected.replay(3)
    assert (done.taken, dict(done.bad)) == ([Position("visits", 0, 3)], {"undecodable": 1})
    here = Selection(statuses=("open",), positions=tuple(done.taken))
    contracts = {"visits": corrected.contract}
    assert discard(corrected.catalog, contracts, here, "its topic is gone") == 1
    assert states(corrected, 3) == ["discarded", "open"]
    done = corrected.replay(3)
    assert (done.landed, done.taken, dict(done.bad)) == (0, [], {"undecodable": 1})


def test_a_former_topics_record_waits_until_the_living_one_is_landed_as_far(corrected: Bed) -> None:
    corrected.create_again(dict.fromkeys(ALL, GOOD))
    assert sorted(each.offset for each in corrected.replay().waiting) == [0, 3, 6, 9]
    corrected.land(5)
    done = corrected.replay()
    assert (done.landed, done.waiting) == (0, [])
    assert sorted(each.offset for each in done.taken) == [0, 3, 6, 9]
    corrected.land(10)
    assert corrected.raw().count(9) == 1


def test_a_former_topics_row_in_raw_keeps_no_record_of_the_living_one_out(landed: Bed) -> None:
    landed.create_again({**dict.fromkeys(ALL, GOOD), 4: b"{}"})
    landed.land(10)
    landed.correct()
    assert times(landed, "raw.visits", 4) == [1]
    done = landed.replay(4)
    assert (done.landed, done.taken) == (1, [])
    assert times(landed, "raw.visits", 4) == [1, 2]
    assert landed.replay(4).present == 1
