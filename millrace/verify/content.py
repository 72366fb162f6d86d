"""L5: every column is what an independent decoding of the record's own bytes gives.

The bytes are the topic's. Where the topic has them no more they are the table's own, whose digest
then has to be the one that the producer's ledger recorded. A replayed record may have a corrected
value: then its columns are held to that value, and quarantine has to hold the original bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from millrace.verify.decode import Decoder, SchemaText, UndecodableError, framed_id
from millrace.verify.equality import differ, unequal
from millrace.verify.facts import Facts
from millrace.verify.findings import OPEN, finding
from millrace.verify.keys import EMPTY, Keys, Mask, is_in, keys_of, within
from millrace.verify.replays import other_than_replayed, replays
from millrace.verify.report import Finding
from millrace.verify.spool import Spool
from millrace.verify.tables import Held
from millrace.verify.verdict import Required

Values = list[bytes | None]
#: Python keeps some kilobytes of a decoded record: so many are decoded at once.
SLICE_ROWS = 8192
#: Columns of the record itself, as the topic gives them.
CARRIED = ("kafka_at", "kafka_key", "kafka_headers", "value")
REMEDY = "bin/millrace consume {topic}  # and compare with the table: nothing rewrites raw rows"


class Content:
    """The law of values for one subject; rows are added batch by batch.

    Attributes:
        compared: rows whose columns were compared.
        corrected: rows that were replayed with another value.
        unread: of them those whose table keeps no bytes, so that their columns say nothing.
        without_topic: rows that the topic has no more.
    """

    def __init__(self, facts: Facts, spool: Spool, schemas: SchemaText) -> None:
        self.facts = facts
        self._spool = spool
        self._decoder = Decoder(facts.contract, schemas)
        self._kind = facts.contract.format
        self._own = [field.name for field in facts.contract.fields]
        self._replayed: Keys = np.unique(facts.quarantine.of_status("replayed", *OPEN))
        self._replays: list[tuple[int, str]] = []
        self._wrong: dict[str, list[Keys]] = {}
        self._why: dict[str, str] = {}
        self._required = Required(facts.contract)
        self.compared = self.corrected = self.unread = self.without_topic = 0

    def add(self, rows: pa.RecordBatch) -> None:
        """Compare rows of the raw table."""
        for part in _judged(rows, self.facts):
            self._compare(part, is_raw=True)
            self._required.add(part)

    def add_quarantined(self, rows: pa.RecordBatch) -> None:
        """Compare rows of the quarantine: their bytes, not what they might mean."""
        for part in _judged(rows, self.facts):
            self._compare(part, is_raw=False)
            self._replays += replays(part)

    def findings(self) -> list[Finding]:
        """All that breaks L5."""
        topic = self.facts.subject.topic
        corrected = other_than_replayed(self.facts.raw, self._replays)
        self._note("value_sha256", corrected, "its replay says (replayed_sha256)")
        return [
            finding(
                self.facts,
                "L5",
                f"have another {column} than {self._why[column]}",
                REMEDY.format(topic=topic),
                np.unique(np.concatenate(keys)),
            )
            for column, keys in self._wrong.items()
        ] + list(self._against_ledger())

    def notes(self) -> list[str]:
        """What could be compared less than the rest."""
        notes, name = self._required.notes(), self.facts.subject.dataset
        if gone := self.without_topic:
            held = "the ledger's digest alone: the table keeps no bytes"
            if self.facts.contract.keep_value:
                held = "its own bytes and the ledger's digest"
            notes.append(
                f"{name}: {gone:,} rows are no longer in the topic; they are held to {held}"
            )
        if self.unread:
            notes.append(
                f"{name}: {self.unread:,} rows were replayed with a corrected value that the table"
                " does not keep; they are held to the digest that their replay noted"
            )
        return notes

    def _compare(self, rows: pa.RecordBatch, is_raw: bool) -> None:
        keys = keys_of(rows["kafka_partition"], rows["kafka_offset"])
        there = is_in(keys, self._spool.keys)
        self.compared += len(keys)
        self.without_topic += int((~there).sum())
        self._compare_part(rows.filter(pa.array(there)), keys[there], True, is_raw)
        self._compare_part(rows.filter(pa.array(~there)), keys[~there], False, is_raw)

    def _compare_part(self, rows: pa.RecordBatch, keys: Keys, in_topic: bool, is_raw: bool) -> None:
        """Compare rows that the topic has, or rows that it has no more."""
        if not len(keys):
            return
        columns = {name: rows[name] for name in rows.schema.names}
        values = columns["value"].to_pylist() if "value" in columns else None
        if in_topic:
            records = self._spool.records(keys)
            sent = records["value"].to_pylist()
            free = np.zeros(len(keys), np.bool_)
            if is_raw:
                free = self._other_values(values, columns, sent, keys)
            for name in CARRIED:
                if name in columns:
                    wrong = self._unlike(name, columns[name], records[name])
                    # A replay may correct the value, and nothing else.
                    wrong &= ~free | (name != "value")
                    self._note(name, keys[wrong], "the topic")
            has_bytes = values is not None
            values = [
                own if free[row] and values else given
                for row, (own, given) in enumerate(zip(values or sent, sent, strict=True))
            ]
            if not has_bytes and free.any():
                # The bytes that their columns follow from are kept nowhere.
                self.unread += int(free.sum())
                kept = pa.array(~free)
                columns = {name: column.filter(kept) for name, column in columns.items()}
                values, keys = [values[row] for row in np.flatnonzero(~free)], keys[~free]
        if values is not None:
            self._compare_decoded(columns, values, keys, is_raw)

    def _other_values(
        self, values: Values | None, columns: dict[str, pa.Array], sent: Values, keys: Keys
    ) -> Mask:
        """Which were replayed with another value than was sent, by it or by its digest."""
        if values is not None:
            wrong = differ(values, sent)
        else:
            wrong = differ(columns["value_sha256"].to_pylist(), [_digest(each) for each in sent])
        other: Mask = is_in(keys, self._replayed) & wrong
        self.corrected += int(other.sum())
        return other

    @staticmethod
    def _unlike(name: str, actual: pa.Array, sent: pa.ChunkedArray) -> Any:
        """Which differ from what was sent; a record without headers may have none or a null."""
        wrong = unequal(actual, sent)
        if name == "kafka_headers" and wrong.any():
            return differ(
                [each or [] for each in actual.to_pylist()],
                [each or [] for each in sent.to_pylist()],
            )
        return wrong

    def _compare_decoded(
        self, columns: dict[str, pa.Array], values: list[bytes | None], keys: Keys, is_raw: bool
    ) -> None:
        """Compare what follows from the bytes."""
        digests = [_digest(each) for each in values]
        source = "its bytes"
        self._hold("value_sha256", columns, digests, keys, source)
        if not is_raw:
            return
        self._hold("is_tombstone", columns, [each is None for each in values], keys, source)
        ids = [framed_id(each, self._kind) for each in values]
        self._hold("schema_id", columns, ids, keys, source)
        decoded: list[dict[str, Any]] = []
        for key, value in zip(keys, values, strict=True):
            try:
                decoded.append(self._decoder.decode(value))
            except UndecodableError as error:
                decoded.append({})
                self._note("content", np.array([key]), f"its bytes, which decode to none: {error}")
        for name in self._own:
            self._hold(name, columns, [row.get(name) for row in decoded], keys, "its bytes say")

    def _hold(
        self,
        name: str,
        columns: dict[str, pa.Array],
        expected: Sequence[Any],
        keys: Keys,
        source: str,
    ) -> None:
        if name not in columns:
            self._note(name, keys, f"{source}: there is no such column")
            return
        actual = columns[name]
        try:
            wanted = pa.array(expected, actual.type)
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            wrong = differ(actual.to_pylist(), list(expected))
        else:
            wrong = unequal(actual, wanted)
        self._note(name, keys[wrong], source)

    def _note(self, column: str, keys: Keys, why: str) -> None:
        if len(keys):
            self._wrong.setdefault(column, []).append(keys)
            self._why.setdefault(column, why)

    def _against_ledger(self) -> Iterator[Finding]:
        """The digest that the producer recorded, of every acknowledged record."""
        facts = self.facts
        order = np.argsort(facts.ledger.keys, kind="stable")
        told = facts.ledger.keys[order]
        wrong = [EMPTY]
        originals = facts.quarantine.keys
        for held in (facts.quarantine, facts.raw):
            mine = is_in(held.keys, told)
            if held is facts.raw:
                mine &= ~is_in(held.keys, np.sort(originals))
            if mine.any():
                wrong.append(_other_digests(held.where(mine), told, order, facts))
        if len(keys := np.unique(np.concatenate(wrong))):
            text = "have another digest than the ledger of their producer"
            remedy = REMEDY.format(topic=facts.subject.topic)
            yield finding(facts, "L5", text, remedy, keys)


def _digest(value: bytes | None) -> str | None:
    return None if value is None else hashlib.sha256(value).hexdigest()


def _other_digests(held: Held, told: Keys, order: Keys, facts: Facts) -> Keys:
    rows = order[np.searchsorted(told, held.keys)]
    expected = facts.ledger.digests.take(pa.array(rows))
    wrong = unequal(held.digests.fill_null(""), expected)
    keys: Keys = held.keys[wrong & within(held.keys, facts.ranges)]
    return keys


def _judged(rows: pa.RecordBatch, facts: Facts) -> Iterator[pa.RecordBatch]:
    """The rows of the judged ranges, in slices."""
    keys = keys_of(rows["kafka_partition"], rows["kafka_offset"])
    mine = rows.filter(pa.array(within(keys, facts.ranges)))
    for start in range(0, mine.num_rows, SLICE_ROWS):
        yield mine.slice(start, SLICE_ROWS)
