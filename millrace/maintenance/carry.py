"""What a table remembers in its newest snapshots, carried over a foreign commit.

Landing keeps its offsets in the summary of its snapshots, and a processed table the raw snapshot
that it has read. A rewrite by Trino makes a snapshot without either. They are found among the
ancestors as long as these are kept; an empty snapshot that repeats them makes the table independent
of its ancestors again.
"""

from __future__ import annotations

from pyiceberg.table import Table

from millrace.lake.commit import commit_append
from millrace.lake.offsets import SUMMARY_KEY
from millrace.landing.landed_table import WRITER_KEY
from millrace.maintenance.lake import WRITER, Lake, line, look_again, note
from millrace.processed import READ_UP_TO

KEYS = (SUMMARY_KEY, READ_UP_TO)


def remembered(table: Table) -> dict[str, str]:
    """The newest value of each key, from the nearest ancestor that has it."""
    found: dict[str, str] = {}
    for snapshot in line(table):
        for key in KEYS:
            text = note(snapshot, key)
            if text is not None:
                found.setdefault(key, text)
        if len(found) == len(KEYS):
            break
    return found


def hidden(table: Table) -> dict[str, str]:
    """What is remembered, and not by the current snapshot."""
    current = table.current_snapshot()
    if current is None:
        return {}
    return {key: text for key, text in remembered(table).items() if note(current, key) is None}


def carry_forward(lake: Lake, name: str, step: str) -> bool:
    """Repeat what is hidden in an empty snapshot, unless a writer has done so meanwhile."""

    def carry() -> bool:
        table = lake.load(name)
        if not (found := hidden(table)):
            return False
        summary = {**found, WRITER_KEY: WRITER}
        commit_append(lake.catalog, table, [], summary, table.metadata.current_snapshot_id)
        return True

    return look_again(name, step, carry)
