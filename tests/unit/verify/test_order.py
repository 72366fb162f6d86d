"""L4: each position once, and none left out."""

from __future__ import annotations

from typing import Any

RAW, QUARANTINE = "raw.visits", "raw.quarantine"


def page(name: str) -> bytes:
    return b'{"page": "%s"}' % name.encode()


def gaps(world: Any) -> list[str]:
    found: list[str] = world.broken().get("L4", [])
    return found


def test_a_row_that_is_there_twice_is_found_in_either_table(world: Any) -> None:
    world.change(RAW, lambda rows: [*rows, rows[0]])
    assert gaps(world) == ["1 record is in raw.visits more than once"]
    world.change(QUARANTINE, lambda rows: [*rows, *rows])
    assert len(gaps(world)) == 2


def test_a_gap_at_the_start_in_the_middle_and_at_the_end_is_named(world: Any) -> None:
    world.send(*(page(f"{number}") for number in range(4)))
    world.land()
    world.drop(RAW, 5)
    assert gaps(world)[0].endswith("a gap")
    world.drop(RAW, 9)
    assert gaps(world)[0].endswith("a gap at the end")


def test_a_gap_at_the_start_is_named(world: Any) -> None:
    world.drop(RAW, 0, 1)
    assert gaps(world)[0].endswith("a gap at the start")


def test_control_and_aborted_offsets_are_listed_and_no_gap(world: Any) -> None:
    world.append(page("aborted"), run=None)
    world.log.aborted.add(6)
    world.log.end += 1
    world.send(page("after"))
    world.land()
    report = world.verify()
    assert report.findings == ()
    assert (report.counts["visits"]["aborted"], report.counts["visits"]["control"]) == (1, 1)
    assert any("0/6-7" in note for note in report.notes)


def test_a_control_record_at_the_end_of_the_log_is_no_gap(world: Any) -> None:
    world.log.end += 1
    world.land()
    assert world.verify().findings == ()


def test_a_landed_aborted_record_is_found(world: Any) -> None:
    world.append(page("aborted"), run=None)
    world.land()
    world.log.aborted.add(6)
    assert "no committed record" in gaps(world)[0]


def test_a_row_at_or_after_the_landed_end_is_found(world: Any) -> None:
    world.append(page("x"), run=None)
    world.put(RAW, [world.raw_row(world.log.rows[6])], 6)
    assert any("after its own landed end" in text for text in gaps(world))


def test_a_topic_that_was_created_again_is_found(world: Any) -> None:
    world.log.topic_id = "id-2"
    assert "which is gone" in gaps(world)[0]


def test_a_log_that_ends_before_the_landed_end_is_found(world: Any) -> None:
    del world.log.rows[5]
    world.log.end = 5
    assert any("the log ends at 5" in text for text in gaps(world))


def test_what_retention_took_from_the_topic_is_said(world: Any) -> None:
    world.change(RAW, lambda rows: rows[2:])
    world.change(QUARANTINE, lambda rows: rows)
    world.log.begin = 3
    report = world.verify()
    assert [each.law for each in report.findings] == ["L1"]
    assert any("judged from offset 2" in note for note in report.notes)


def test_a_gap_that_the_topic_can_not_explain_any_more_is_found(world: Any) -> None:
    world.drop(RAW, 2)
    world.log.begin = 5
    assert "no longer has them to say why: 0/2" in gaps(world)[0]


def test_rows_of_another_topic_are_found(world: Any) -> None:
    row = {**world.raw_row(world.log.rows[0]), "kafka_topic": "others"}
    world.change(RAW, lambda rows: [*rows, row])
    assert "rows of raw.visits (1) are of another topic" in gaps(world)[0]


def test_quarantined_rows_of_another_topic_are_found(world: Any) -> None:
    world.change(QUARANTINE, lambda rows: [*rows, {**rows[0], "kafka_topic": "others"}])
    assert gaps(world) == ["rows of raw.quarantine (1) are of another topic than visits"]


def test_without_a_recorded_end_the_greatest_offset_counts(world: Any) -> None:
    world.offsets = lambda end: {}
    table = world.table(RAW)
    rows = table.scan().to_arrow()
    world.catalog.drop_table(RAW)
    folder = f"{table.location()}-again"
    world.catalog.create_table(RAW, world.contract.iceberg_schema(), location=folder).append(rows)
    report = world.verify()
    assert report.ok
    assert any("greatest offset counts" in note for note in report.notes)


def expire_from_topic(world: Any, begin: int) -> None:
    world.log.begin = begin
    world.log.rows = {at: row for at, row in world.log.rows.items() if at >= begin}


def test_a_control_record_that_the_topic_has_no_more_is_a_note(world: Any) -> None:
    world.log.end += 1
    world.send(page("after"))
    world.land()
    expire_from_topic(world, 7)
    report = world.verify()
    assert report.findings == ()
    assert any("acknowledged nothing there: 0/6" in note for note in report.notes)


def test_a_gap_among_records_of_foreign_producers_stays_a_finding(world: Any) -> None:
    world.log.end += 1
    world.append(page("foreign"), run=None)
    world.land()
    expire_from_topic(world, 7)
    assert "no longer has them to say why: 0/6" in gaps(world)[0]
