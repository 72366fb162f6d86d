"""A quarantine table that has less than it had when a raw table was landed: what mends it.

Raw tables note quarantine's ends with every batch. Where quarantine has less, bad records that
were quarantined are gone, and the raw table would never land them again. Rolled back to a snapshot
of the same age, the raw table lands what followed it once more, the bad records too.
"""

from __future__ import annotations

from collections.abc import Mapping

from millrace.contracts.model import Contract
from millrace.lake.offsets import SUMMARY_KEY, TopicOffsets, ancestors, parse
from millrace.landing.errors import QuarantineBehindError
from millrace.landing.landed_table import LandedTable


def require_quarantine(contract: Contract, raw: LandedTable, quarantine: LandedTable) -> None:
    """Make sure that quarantine has all that it had when the raw table was landed.

    Raises:
        QuarantineBehindError: it has less.
    """
    landed = raw.offsets.get(contract.topic, TopicOffsets())
    quarantined = quarantine.offsets.get(contract.topic, TopicOffsets())
    noted = landed.quarantined
    has = quarantined.ends if quarantined.topic_id == landed.topic_id else {}
    partition = _behind(noted, has)
    if partition is None:
        return
    cause = (
        f"{quarantine.name} had its bad records of partition {partition} up to offset"
        f" {noted[partition]} and now has them up to {has.get(partition, 0)}: it was rolled back"
        " or made anew"
    )
    raise QuarantineBehindError(contract.dataset, contract.topic, cause, _rollback(raw, has))


def _behind(noted: Mapping[int, int], has: Mapping[int, int]) -> int | None:
    """The first partition of which quarantine has less than was noted."""
    return next((part for part, end in sorted(noted.items()) if has.get(part, 0) < end), None)


def _rollback(raw: LandedTable, has: Mapping[int, int]) -> str | None:
    """The statement that rolls the raw table back as far; None where no such snapshot is kept."""
    for snapshot in ancestors(raw.table):
        text = snapshot.summary.get(SUMMARY_KEY) if snapshot.summary else None
        known = parse(text) if text is not None else {}
        if known and all(_behind(each.quarantined, has) is None for each in known.values()):
            call = f"ALTER TABLE {raw.name} EXECUTE rollback_to_snapshot({snapshot.snapshot_id})"
            return f'bin/millrace sql "{call}"'
    return None
