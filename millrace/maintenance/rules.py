"""How long the rows of each table stay: by layer, unless the contract or the table says otherwise.

The clock of raw and processed rows is the broker's, not the producer's: a record that tells of last
year is as old as its arrival. Entity tables keep their current rows whatever their age.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyiceberg.expressions import And, BooleanExpression, In, LessThan
from pyiceberg.table import Table
from pyiceberg.types import DateType, TimestampType

from millrace.contracts import Contract
from millrace.contracts.names import (
    PARTITION_SOURCE,
    QUARANTINE_STATES,
    QUARANTINE_TABLE,
    RETENTION_DAYS,
)
from millrace.maintenance.lake import Lake
from millrace.processed import processed_tables

COLUMN = "millrace.retention-column"
#: Of a raw table whose contract says nothing, and of quarantine.
RAW_DAYS = 90
#: When a row got into the table, which a replay does long after its record's own time.
LANDED_AT = "landed_at"
#: So much longer than any raw row a resolved row stays: it is what explains a discarded record and
#: a corrected one, and raw rows may stay until their processed table has read them.
BEYOND_RAW_DAYS = 7
RESOLVED_STATES = QUARANTINE_STATES[1:]


@dataclass(frozen=True)
class Rule:
    """Which rows of a table are too old.

    Attributes:
        days: how long rows stay.
        column: whose age counts.
        before: rows with an earlier time there are too old.
        rows: the condition, which may ask for more than that.
        whole_files: only files all of whose rows are too old go, so that no byte is rewritten.
        reason: what else is to be said.
    """

    days: int
    column: str
    before: datetime
    rows: BooleanExpression
    whole_files: bool = False
    reason: str = ""

    def __str__(self) -> str:
        more = f", {self.reason}" if self.reason else ""
        return f"{self.days} days by {self.column}: before {self.before:%Y-%m-%d}{more}"


def rule_of(lake: Lake, name: str, table: Table) -> Rule | str:
    """The table's rule, or why its rows stay."""
    layer = name.partition(".")[0]
    days = table.properties.get(RETENTION_DAYS)
    if name == QUARANTINE_TABLE:
        return _quarantine(lake, int(days or RAW_DAYS))
    if layer == "raw":
        return _raw(lake, name, table, days)
    if column := table.properties.get(COLUMN):
        limits = lake.limits
        default = limits.processed_days if layer == "processed" else limits.curated_days
        return _declared(lake, table, column, int(days or default))
    if layer == "processed":
        return _processed(lake, name, days)
    return "each dbt build makes it anew from processed: its rows go with those it is made from"


def _processed(lake: Lake, name: str, days: str | None) -> Rule | str:
    limits = lake.limits
    for each in processed_tables(lake.contracts.values()):
        if each.identifier == name and each.by_month:
            # The marts are made anew from these tables, so what goes here is gone there as well.
            kept = int(days or max(limits.processed_days, limits.curated_days))
            return _by(lake, "source_at", kept, reason="as long as the marts made from it")
        if each.identifier == name:
            return "current rows of an entity table stay, whatever their age"
    return f"no contract makes it and it has no property {COLUMN}: its rows stay"


def _raw(lake: Lake, name: str, table: Table, days: str | None) -> Rule | str:
    if not {PARTITION_SOURCE, LANDED_AT} <= set(table.schema().column_names):
        return f"it has no {PARTITION_SOURCE} and {LANDED_AT}: no landing filled it"
    contracts = {each.raw_table: each for each in lake.contracts.values()}
    contract = contracts.get(name)
    said = contract.retention_days if contract is not None else RAW_DAYS
    # What was applied counts: an edited contract may still be half written.
    kept = int(days or said)
    reason = f"its contract says {said}: make apply" if contract and kept != said else ""
    rule = _by(lake, PARTITION_SOURCE, kept)
    # A replayed record is old and new to its readers: it stays for as long after its landing.
    rows = And(rule.rows, LessThan(term=LANDED_AT, value=rule.before.isoformat()))
    return Rule(kept, rule.column, rule.before, rows, whole_files=True, reason=reason)


def _quarantine(lake: Lake, days: int) -> Rule:
    applied = [_raw_days(lake, each) for each in lake.contracts.values()]
    days = max(days, *applied, 0) + BEYOND_RAW_DAYS
    rule = _by(lake, "resolved_at", days)
    rows = And(rule.rows, In(term="status", literals=RESOLVED_STATES))
    return Rule(days, rule.column, rule.before, rows, reason="open rows stay until resolved")


def _raw_days(lake: Lake, contract: Contract) -> int:
    """How long the contract's raw rows stay, as applied or, where that is longer, as written."""
    table = lake.find(contract.raw_table)
    applied = table.properties.get(RETENTION_DAYS) if table is not None else None
    return max(contract.retention_days, int(applied or 0))


def _declared(lake: Lake, table: Table, column: str, days: int) -> Rule | str:
    if column not in table.schema().column_names:
        return f"its property {COLUMN} names {column}, which it does not have: its rows stay"
    return _by(lake, column, days, table.schema().find_type(column))


def _by(lake: Lake, column: str, days: int, kind: Any = None, reason: str = "") -> Rule:
    before = lake.midnight_before(days)
    value = before.isoformat()
    if isinstance(kind, DateType):
        value = before.date().isoformat()
    elif isinstance(kind, TimestampType):
        value = before.replace(tzinfo=None).isoformat()
    return Rule(days, column, before, LessThan(term=column, value=value), reason=reason)
