"""The evidence of a compaction: one that did nothing is not seen."""

from __future__ import annotations

import pytest

from millrace.chaos.evidence import Observation
from millrace.chaos.faults.maintenance import left


@pytest.mark.parametrize(
    ("after", "holds"),
    [({"a", "b"}, False), ({"a", "b", "new"}, False), ({"a", "new"}, True), ({"new"}, True)],
)
def test_files_are_replaced_only_where_one_of_them_is_gone(after: set[str], holds: bool) -> None:
    seen = Observation("replaced", "files:raw.things", "2 files", left({"a", "b"}, after), 1.0)
    assert seen.holds is holds
