"""Agree with a log that has parted from its table: the one deliberate break of the chain.

After the retention of a topic deleted records before they were landed, or a topic was created
again, landing refuses to go on by itself. A reset says: go on from what the log has now. It is an
empty snapshot, so it is in the table's history and can be rolled back.
"""

from __future__ import annotations

from pyiceberg.catalog import Catalog

from millrace.contracts.model import Contract
from millrace.landing.landed_table import LandedTable, Move
from millrace.landing.lander import LogStates

RESET_KEY = "millrace.reset"


def reset_offsets(catalog: Catalog, contract: Contract, log_states: LogStates) -> None:
    """Set the raw table's offsets of the contract's topic to the log's beginning.

    Offsets that are still in the log, of the same topic, stay as they are.

    Raises:
        TakenOverError: an application landed meanwhile.
    """
    log = log_states([contract.topic])[contract.topic]
    table = LandedTable(catalog, contract.raw_table, writer="millrace landing reset")
    table.load()
    before = table.offsets.get(contract.topic)
    ends = dict(log.begins)
    if before is not None and before.topic_id in (None, log.topic_id):
        for partition, offset in before.ends.items():
            if partition in ends and log.begins[partition] <= offset <= log.ends[partition]:
                ends[partition] = offset
    table.append([], {contract.topic: Move(ends, log.topic_id)}, {RESET_KEY: "true"})
