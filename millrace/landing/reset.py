"""Agree with a log that has parted from its table: the one deliberate break of the chain.

After a topic lost records before they were landed, lost records that were landed, or was created
again, landing refuses to go on by itself. A reset says: go on with what the log has now. It is an
empty snapshot, so it is in the table's history and can be rolled back.
"""

from __future__ import annotations

from pyiceberg.catalog import Catalog

from millrace.contracts.model import Contract
from millrace.contracts.names import QUARANTINE_TABLE
from millrace.lake.offsets import TopicOffsets
from millrace.landing.broker import Log
from millrace.landing.errors import OffsetsAheadError
from millrace.landing.landed_table import LandedTable, Move
from millrace.landing.positions import agreed, check_quarantine

RESET_KEY = "millrace.reset"
WRITER = "millrace landing reset"


def reset_offsets(catalog: Catalog, contract: Contract, broker: Log) -> None:
    """Set the offsets of the contract's topic to the nearest that the log has.

    Of the same topic they stay as they are within the log, and move to its end where they are
    ahead of it, in quarantine too. A topic that was created again starts at its beginning. What
    quarantine has lost is lost.

    Raises:
        OffsetsLostError: a table does not tell how far it is landed: rebuild its offsets first.
        TakenOverError: an application landed meanwhile.
    """
    topic = contract.topic
    log = broker.log_states([topic])[topic]
    raw = LandedTable(catalog, contract.raw_table, writer=WRITER)
    quarantine = LandedTable(catalog, QUARANTINE_TABLE, writer=WRITER)
    raw.load()
    quarantine.load()
    ahead = quarantine.offsets.get(topic)
    try:
        check_quarantine(contract.dataset, topic, ahead, log)
    except OffsetsAheadError:
        move = Move(agreed(ahead, log), log.topic_id)
        quarantine.append([], {topic: move}, {RESET_KEY: "true"})
    known = quarantine.offsets.get(topic, TopicOffsets())
    noted = known.ends if known.topic_id == log.topic_id else {}
    move = Move(agreed(raw.offsets.get(topic), log), log.topic_id, noted)
    raw.append([], {topic: move}, {RESET_KEY: "true"})
