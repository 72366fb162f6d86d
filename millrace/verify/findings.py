"""Findings about records of a subject, and the remedies that several laws share."""

from __future__ import annotations

import re

import numpy as np

from millrace.verify.facts import Facts
from millrace.verify.keys import EMPTY, Keys, positions_of
from millrace.verify.report import KEPT_POSITIONS, Finding

#: What a quarantined record is before anybody decided about it; tables of before say the second.
OPEN = ("open", "quarantined")
STATUS = "bin/millrace landing status"
LAND = f"{STATUS}  # then bin/millrace landing start"
#: Judges only what is younger.
SINCE = "bin/millrace verify --since 1h  # or the time the topic was created"

#: What a finding about several records says of one.
_OF_ONE = {"were": "was", "are": "is", "have": "has", "come": "comes", "their": "its", "them": "it"}


def how_to_go_back(table: str) -> str:
    """How to mend records that a table has lost: go back, and landing lands the rest again."""
    namespace, name = table.split(".")
    query = "select snapshot_id, committed_at, operation "
    query += f'from iceberg.{namespace}."{name}$snapshots" order by 2'
    return f"bin/millrace sql '{query}'  # roll back to the one before: verify-finds-something.md"


def how_to_see(facts: Facts, keys: Keys) -> str:
    """How to look at the first of records that are in a table and mend nothing."""
    ((partition, offset),) = positions_of(keys[:1])
    if np.isin(keys[0], facts.quarantine.keys):
        return f"bin/millrace quarantine show {facts.subject.topic}:{partition}:{offset}"
    query = f"select * from iceberg.{facts.subject.raw_table}"
    query += f" where kafka_partition = {partition} and kafka_offset = {offset}"
    return f"bin/millrace sql '{query}'  # nothing to mend in the lake"


def finding(facts: Facts, law: str, text: str, remedy: str, keys: Keys = EMPTY) -> Finding:
    """A finding; about records, it says how many there are."""
    positions = positions_of(np.sort(keys)[:KEPT_POSITIONS])
    if len(keys) == 1:
        text = "1 record " + re.sub(r"\w+", _of_one, text)
    elif len(keys):
        text = f"{len(keys):,} records {text}"
    return Finding(law, facts.subject.dataset, text, remedy, positions, len(keys))


def _of_one(word: re.Match[str]) -> str:
    return _OF_ONE.get(word[0], word[0])
