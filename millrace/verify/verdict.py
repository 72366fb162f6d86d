"""What is said of verdicts: notes, because a contract may have changed since they were made."""

from __future__ import annotations

from collections.abc import Container, Iterable

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.catalog import Catalog

from millrace.contracts import Contract
from millrace.verify.errors import PointerError
from millrace.verify.tables import load, scan


class Required:
    """Counts rows of a raw table that lack what the contract requires.

    Attributes:
        lacking: how many; tombstones have no columns to lack.
    """

    def __init__(self, contract: Contract) -> None:
        self._dataset = contract.dataset
        self._names = [each.name for each in contract.fields if each.required]
        self.lacking = 0

    def add(self, rows: pa.RecordBatch) -> None:
        """Look at rows of the raw table."""
        there = [name for name in self._names if name in rows.schema.names]
        if not there or "is_tombstone" not in rows.schema.names:
            return
        lacks = pc.is_null(rows[there[0]])
        for name in there[1:]:
            lacks = pc.or_(lacks, pc.is_null(rows[name]))
        lacks = pc.and_(lacks, pc.invert(rows["is_tombstone"].fill_null(False)))
        self.lacking += int(pc.sum(lacks).as_py() or 0)

    def notes(self) -> list[str]:
        """What was counted, if anything."""
        if not self.lacking:
            return []
        return [
            f"{self._dataset}: {self.lacking:,} rows of the raw table lack a column that the"
            " contract requires now"
        ]


def strays(catalog: Catalog, tables: Iterable[str], known: Container[str]) -> list[str]:
    """Notes about rows of quarantine tables whose dataset has no contract."""
    notes = []
    for name in tables:
        found: dict[str, int] = {}
        try:
            batches = list(scan(load(catalog, name), ("dataset",)))
        except PointerError:
            continue  # a finding already
        for batch in batches:
            for entry in pc.value_counts(batch["dataset"]).to_pylist():
                if (dataset := entry["values"]) not in known:
                    found[str(dataset)] = found.get(str(dataset), 0) + entry["counts"]
        if found:
            listed = ", ".join(f"{dataset} ({found[dataset]:,})" for dataset in sorted(found))
            notes.append(
                f"{name} has rows of datasets without a contract, which nobody judges: {listed}"
            )
    return notes
