"""A publication: the open records of one dataset that its dead-letter topic does not hold."""

from __future__ import annotations

from pyiceberg.catalog import Catalog

from millrace.contracts import Contract
from millrace.contracts.names import OPEN
from millrace.quarantine.dead_letter_log import names_in, require_topic
from millrace.quarantine.dead_letters import DeadLetters, oldest
from millrace.quarantine.records import Selection, load_quarantine, read
from millrace.settings import Settings


def publish_open(settings: Settings, catalog: Catalog, contract: Contract) -> int | None:
    """Publish what is open; returns how many are new, None where nothing is open.

    Raises:
        FencedError: another publication of this topic took over.
    """
    selection = Selection((contract.dataset,), statuses=(OPEN,), since=oldest(contract))
    table = load_quarantine(catalog)
    if not any(read(table, selection, with_bytes=False)):
        return None
    require_topic(settings, contract)
    letters = DeadLetters(settings, contract.topic)
    # Looked at after the other publications are fenced: none can add to it any more.
    there = names_in(settings, letters.topic)
    return sum(letters.publish(records, there) for records in read(table, selection))
