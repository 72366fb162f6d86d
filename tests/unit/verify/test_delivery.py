"""L1 to L3: acknowledged, refused, unknown."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from millrace_producers.ledger import Ledger
from tests.unit.verify.conftest import NOW

RAW, QUARANTINE = "raw.visits", "raw.quarantine"
BAD = b'{"page": null}'


def page(name: str) -> bytes:
    return b'{"page": "%s"}' % name.encode()


def mark(status: str, **more: Any) -> Any:
    return lambda rows: [{**row, "status": status, **more} for row in rows]


def test_what_is_landed_or_quarantined_once_breaks_no_law(world: Any) -> None:
    report = world.verify()
    assert report.findings == ()
    assert report.lines()[-1].startswith("nothing lost, nothing doubled")
    counts = report.counts["visits"]
    assert (counts["acknowledged"], counts["landed"], counts["quarantined"]) == (6, 5, 1)


def test_an_acknowledged_record_that_is_nowhere_is_named(world: Any) -> None:
    world.drop(RAW, 1)
    (found,) = [each for each in world.verify().findings if each.law == "L1"]
    assert found.positions == ((0, 1),)
    assert found.text == "1 record was acknowledged and is nowhere"
    # Landing's rebuild only ever goes forward: it brings no row back.
    assert "rebuild" not in found.remedy
    assert 'from iceberg.raw."visits$snapshots"' in found.remedy


def test_a_dropped_row_of_quarantine_is_a_lost_record(world: Any) -> None:
    world.drop(QUARANTINE, 3)
    assert "nowhere" in world.broken()["L1"][0]


def test_a_record_landed_twice_is_named(world: Any) -> None:
    world.change(RAW, lambda rows: [*rows, rows[0]])
    assert "landed more than once" in world.broken()["L1"][0]


def test_a_replayed_record_is_in_raw_and_its_original_stays(world: Any) -> None:
    row = world.raw_row({**world.log.rows[3], "value": page("mended")})
    world.put(RAW, [row], 6)
    world.change(QUARANTINE, mark("replayed", replayed_sha256=row["value_sha256"]))
    assert world.verify().findings == ()


def test_an_unfinished_replay_has_its_name_and_its_remedy(world: Any) -> None:
    world.put(RAW, [world.raw_row({**world.log.rows[3], "value": page("mended")})], 6)
    (found,) = [each for each in world.verify().findings if each.law == "L1"]
    assert "an unfinished replay" in found.text
    assert found.remedy.startswith("bin/millrace quarantine replay")


def test_a_record_marked_as_replayed_and_not_landed_is_lost(world: Any) -> None:
    world.change(QUARANTINE, mark("replayed"))
    assert "not in the raw table" in world.broken()["L1"][0]


def test_a_discarded_record_is_kept_where_it_is(world: Any) -> None:
    world.change(QUARANTINE, mark("discarded"))
    assert world.verify().findings == ()


def test_a_refused_record_that_is_landed_breaks_the_second_law(world: Any) -> None:
    world.send(page("refused"), state="refused")
    world.land()
    assert list(world.broken()) == ["L2"]


def test_a_refused_record_that_is_nowhere_is_right(world: Any) -> None:
    world.send(page("refused"), state="refused", arrives=False)
    assert world.verify().findings == ()


def test_the_same_value_refused_once_and_acknowledged_later_is_right(world: Any) -> None:
    world.send(page("again"), state="refused", arrives=False)
    world.send(page("again"))
    world.land()
    assert world.verify().findings == ()


def test_an_unknown_record_may_be_there_or_not(world: Any) -> None:
    world.send(page("there"), state="unknown")
    world.send(page("not there"), state="unknown", arrives=False)
    world.land()
    report = world.verify()
    assert report.findings == ()
    assert report.counts["visits"]["unknown, arrived"] == 1


def test_an_unknown_record_that_is_there_twice_breaks_the_third_law(world: Any) -> None:
    world.send(page("there"), state="unknown")
    world.append(page("there"))
    world.land()
    assert list(world.broken()) == ["L3"]


def test_an_intent_without_an_outcome_is_unknown(world: Any) -> None:
    world.send(page("a"), state="unknown")
    file = world.ledger.path
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
    world.land()
    assert world.verify().findings == ()


def test_an_empty_ledger_is_never_a_pass(world: Any) -> None:
    world.ledger.path.write_text("")
    assert "says nothing of it" in world.broken()["L1"][0]


def test_a_missing_ledger_is_never_a_pass(world: Any) -> None:
    world.ledger.path.unlink()
    texts = world.broken()["L1"]
    assert "says nothing of it" in texts[0]
    assert world.ledger.run_id in texts[1]


def test_a_run_whose_file_is_gone_is_named(world: Any) -> None:
    world.append(page("x"), run="20200101T000000.000000Z-1-abc")
    world.land()
    assert "whose file is not in the ledger" in world.broken()["L1"][0]


def test_records_of_foreign_producers_are_counted_and_said(world: Any) -> None:
    world.append(page("x"), run=None)
    world.land()
    report = world.verify()
    assert report.ok
    assert report.counts["visits"]["without a ledger"] == 1
    assert any("keep no ledger" in note for note in report.notes)


def test_what_was_acknowledged_and_has_not_landed_is_a_finding(world: Any) -> None:
    world.send(page("later"))
    assert "not landed" in world.broken()["L1"][0]


def test_a_pointer_one_version_back_is_found(world: Any, metastore: Any) -> None:
    before = {name: table.parameters.copy() for name, table in metastore.tables.items()}
    world.send(page("later"))
    world.land()
    assert world.verify().ok
    metastore.tables["raw", "visits"].parameters = before["raw", "visits"]
    assert "not landed" in world.broken()["L1"][0]


def test_what_quarantine_has_ahead_of_raw_is_not_missing(world: Any) -> None:
    world.send(page("later"), BAD)
    world.put(QUARANTINE, [world.bad_row(world.log.rows[7])], 8)
    report = world.verify()
    assert report.counts["visits"]["not landed yet"] == 1
    assert [each.positions for each in report.findings] == [((0, 6),)]


def test_what_landing_still_works_on_is_said_and_no_finding(world: Any) -> None:
    for number in range(40):
        world.send(page(f"{number}"))
    ends = iter(range(7, 46))

    class Landing:
        """Lands a record whenever the raw table is looked at."""

        def load_table(self, name: str) -> Any:
            if name == RAW:
                world.land(next(ends))
            return world.catalog.load_table(name)

    sources = world.sources()
    sources.catalog = Landing()
    world.sources = lambda: sources
    report = world.verify(wait_s=1)
    assert report.ok
    assert report.counts["visits"]["not landed yet"] > 0
    assert any("landing goes on" in note for note in report.notes)


def test_what_was_acknowledged_beyond_the_end_of_the_log_is_a_finding(world: Any) -> None:
    world.send(page("gone"), arrives=False)
    assert "beyond the end of the log" in world.broken()["L1"][0]


def test_since_judges_only_what_is_younger(world: Any) -> None:
    world.age(2)
    world.send(page("young"))
    world.land()
    world.drop(RAW, 1)
    since = world.log.rows[6]["kafka_at"] - timedelta(hours=1)
    assert world.verify(since=since).ok
    assert not world.verify().ok


def test_a_topic_that_got_nothing_since_then_is_a_note_and_no_finding(world: Any) -> None:
    world.age(2)
    for run in world.ledger_folder.glob("*.jsonl"):
        os.utime(run, (0, 0))
    report = world.verify(since=NOW - timedelta(days=1))
    assert report.findings == ()
    assert any("proves nothing of it" in note for note in report.notes)


def test_records_that_came_since_then_without_a_ledger_are_no_pass(world: Any) -> None:
    for run in world.ledger_folder.glob("*.jsonl"):
        os.utime(run, (0, 0))
    assert "says nothing of it" in world.broken(since=NOW - timedelta(days=1))["L1"][0]


def test_a_topic_that_was_created_again_is_judged_since_then(world: Any) -> None:
    """The rows of the topic that is gone stay, at offsets that the new one gives again."""
    world.age(2)
    for run in world.ledger_folder.glob("*.jsonl"):
        os.utime(run, (0, 0))
    world.log.rows, world.log.end, world.log.topic_id = {}, 0, "id-2"
    world.ledger = Ledger(world.ledger_folder)
    world.send(page("x"), page("y"), page("z"), page("older"))
    # A producer's clock may go back a little: that record is not of the former topic.
    world.log.rows[3]["kafka_at"] = NOW - timedelta(days=1, seconds=1)
    world.put(RAW, [world.raw_row(each) for each in world.log.rows.values()], 4)
    since = NOW - timedelta(days=1)
    assert world.broken(since=since) == {}
    world.change(RAW, lambda held: [each for each in held if each["page"] != "y"])
    assert list(world.broken(since=since)) == ["L1", "L4"]
