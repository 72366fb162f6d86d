"""The gate between a table and its log, and what an interrupted batch left."""

from __future__ import annotations

import pytest

from millrace.lake.offsets import TopicOffsets
from millrace.landing.errors import (
    GateError,
    OffsetsAgedOutError,
    OffsetsAheadError,
    TopicRecreatedError,
)
from millrace.landing.positions import (
    LogState,
    agreed,
    capped,
    check_quarantine,
    span,
    start_offsets,
    unfinished,
)

LOG = LogState("id-1", {0: 10, 1: 0}, {0: 50, 1: 20})


def start(landed: TopicOffsets | None, log: LogState = LOG) -> dict[int, int]:
    return start_offsets("orders", "orders", landed, log)


def test_a_topic_that_was_never_landed_starts_at_its_first_record() -> None:
    assert start(None, LogState("id-1", {0: 0, 1: 0}, {0: 50, 1: 0})) == {0: 0, 1: 0}


@pytest.mark.parametrize("landed", [None, TopicOffsets(), TopicOffsets({1: 7}, "id-1")])
def test_records_that_were_deleted_before_any_was_landed_are_named(
    landed: TopicOffsets | None,
) -> None:
    with pytest.raises(OffsetsAgedOutError, match="offsets 0 to 9 of partition 0"):
        start(landed)


def test_landing_goes_on_where_the_table_is() -> None:
    assert start(TopicOffsets({0: 50, 1: 7}, "id-1")) == {0: 50, 1: 7}


def test_a_partition_that_is_new_starts_at_its_beginning() -> None:
    assert start(TopicOffsets({0: 30}, "id-1")) == {0: 30, 1: 0}


def test_offsets_that_were_rebuilt_from_rows_know_no_topic_id_and_pass() -> None:
    assert start(TopicOffsets({0: 30, 1: 1})) == {0: 30, 1: 1}


@pytest.mark.parametrize(
    ("landed", "error", "says"),
    [
        (TopicOffsets({0: 9, 1: 0}, "id-1"), OffsetsAgedOutError, "offsets 9 to 9 of partition 0"),
        (TopicOffsets({0: 10, 1: 21}, "id-1"), OffsetsAheadError, "ends at 20"),
        (TopicOffsets({0: 10, 1: 0}, "id-0"), TopicRecreatedError, "created again"),
        (TopicOffsets({0: 10, 2: 0}, "id-1"), TopicRecreatedError, "partition 2 is gone"),
    ],
)
def test_where_table_and_log_disagree_the_gate_refuses_and_names_the_remedy(
    landed: TopicOffsets, error: type[GateError], says: str
) -> None:
    with pytest.raises(error, match=says) as refused:
        start(landed)
    assert refused.value.remedy == "bin/millrace landing reset orders"
    assert not refused.value.transient


def test_what_quarantine_is_ahead_by_is_unfinished() -> None:
    ahead = TopicOffsets({0: 40, 1: 5}, "id-1")
    assert unfinished({0: 30, 1: 5}, ahead, LOG) == {0: (30, 40)}


def test_quarantine_that_is_behind_or_of_a_topic_that_is_gone_leaves_nothing_unfinished() -> None:
    starts = {0: 30, 1: 5}
    assert unfinished(starts, TopicOffsets({0: 20}, "id-1"), LOG) == {}
    assert unfinished(starts, TopicOffsets({0: 40}, "id-0"), LOG) == {}
    assert unfinished(starts, None, LOG) == {}


def test_where_the_log_ends_nothing_is_unfinished() -> None:
    assert unfinished({0: 50, 1: 20}, TopicOffsets({0: 60, 1: 20}, "id-1"), LOG) == {}


def test_quarantine_must_not_be_ahead_of_the_log_of_the_same_topic() -> None:
    check_quarantine("orders", "orders", TopicOffsets({0: 50, 7: 9}, "id-1"), LOG)
    check_quarantine("orders", "orders", TopicOffsets({0: 60}, "id-0"), LOG)
    with pytest.raises(OffsetsAheadError, match="60 in quarantine, but the log ends at 50"):
        check_quarantine("orders", "orders", TopicOffsets({0: 60}, "id-1"), LOG)


def test_a_reset_goes_to_the_nearest_offsets_that_the_log_has() -> None:
    assert agreed(TopicOffsets({0: 9, 1: 21, 2: 5}, "id-1"), LOG) == {0: 10, 1: 20}
    assert agreed(TopicOffsets({0: 30}, "id-1"), LOG) == {0: 30, 1: 0}
    assert agreed(TopicOffsets({0: 30}, "id-0"), LOG) == {0: 10, 1: 0}
    assert agreed(None, LOG) == {0: 10, 1: 0}


def test_an_unfinished_range_is_landed_in_parts_of_bounded_size() -> None:
    assert capped({0: (0, 100), 1: (5, 8)}, 20) == {0: (0, 10), 1: (5, 8)}


def test_a_batch_covers_what_lies_between_the_tables_and_the_planned_offsets() -> None:
    assert span({0: 5, 1: 7}, {0: 5, 1: 9, 2: 3}) == {1: (7, 9), 2: (0, 3)}
