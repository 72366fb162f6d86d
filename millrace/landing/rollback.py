"""A quarantine table that has less than it had when a raw table was landed: what mends it.

Raw tables note quarantine's ends with every batch. Where quarantine has less, bad records that
were quarantined are gone, and the raw table would never land them again. Rolled back to a snapshot
of the same age, the raw table lands what followed it once more, the bad records too, where the log
still has all of that.
"""

from __future__ import annotations

from collections.abc import Mapping

from millrace.contracts.model import Contract
from millrace.lake.offsets import SUMMARY_KEY, TopicOffsets, ancestors, parse
from millrace.landing.errors import QuarantineBehindError
from millrace.landing.landed_table import LandedTable
from millrace.landing.positions import LogState
from millrace.landing.reset import RESET_KEY


def require_quarantine(
    contract: Contract, raw: LandedTable, quarantine: LandedTable, log: LogState
) -> None:
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
    remedy = _rollback(contract.topic, raw, has, log)
    raise QuarantineBehindError(contract.dataset, contract.topic, cause, remedy)


def _behind(noted: Mapping[int, int], has: Mapping[int, int]) -> int | None:
    """The first partition of which quarantine has less than was noted."""
    return next((part for part, end in sorted(noted.items()) if has.get(part, 0) < end), None)


def _rollback(topic: str, raw: LandedTable, has: Mapping[int, int], log: LogState) -> str | None:
    """The statement that rolls the raw table back as far.

    Returns:
        None where no such snapshot is kept, or it is from before the last reset, which agreed with
        another log, or the log has dropped what would have to land again.
    """
    for snapshot in ancestors(raw.table):
        text = snapshot.summary.get(SUMMARY_KEY) if snapshot.summary else None
        known = parse(text).get(topic) if text is not None else None
        if known is None or not known.may_be_of(log.topic_id):
            continue
        lands_again = all(known.ends.get(part, 0) >= begin for part, begin in log.begins.items())
        if lands_again and _behind(known.quarantined, has) is None:
            call = f"ALTER TABLE {raw.name} EXECUTE rollback_to_snapshot({snapshot.snapshot_id})"
            return f'bin/millrace sql "{call}"'
        if snapshot.summary and snapshot.summary.get(RESET_KEY):
            break
    return None
