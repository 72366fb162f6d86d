"""One undamaged copy of a dataset, and the records in it that a damage may choose from."""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.expressions import EqualTo

from millrace.contracts.model import Contract
from millrace.contracts.names import (
    DISCARDED,
    HEADERS_COLUMN,
    QUARANTINE_DATASET,
    QUARANTINE_TABLE,
    REPLAYED,
    VALUE_COLUMN,
)
from millrace.errors import MillraceError
from millrace.lake.offsets import TopicOffsets, recorded
from millrace.landing.errors import TableMissingError
from millrace.sabotage import fault_runs
from millrace.sabotage.copied_table import CopiedTable
from millrace.sabotage.grounds import Grounds
from millrace.sabotage.ledger import acknowledged, copy_ledger, plant_refused

#: (partition, offset)
Position = tuple[int, int]
#: The header in which our producers name their run.
RUN_HEADER = "millrace-run"
PLACE = ("kafka_topic", "kafka_partition", "kafka_offset", "value_sha256")


class NothingToDamageError(MillraceError):
    """The copy has nothing to do this damage to: without a damage there is no score."""

    def __init__(self, dataset: str, lacks: str) -> None:
        remedy = "make demo  # or choose a dataset that has one: bin/millrace sabotage --dataset"
        super().__init__(f"sabotage of {dataset}", f"it has no {lacks}", remedy)


class Scene:
    """The copy.

    Attributes:
        ledger: the copied ledger, with one refused record planted.
        runs: the folder of the records of fault runs, all honest.
        acknowledged: position to digest, of what the ledger says the broker has.
        landed: position to its file, of the rows of raw that the ledger vouches for.
        quarantined: the same of the open rows of quarantine.
        refused: the planted record as a row of raw; it is in no table yet.
        choose: what is damaged is chosen by it.
    """

    def __init__(self, grounds: Grounds, contract: Contract, seed: int) -> None:
        self._grounds = grounds
        catalog = grounds.catalog
        self.contract = contract
        self.choose = random.Random(seed)  # noqa: S311 - chooses rows
        self.ledger = grounds.scratch / "ledger"
        self.runs = grounds.scratch / "runs"
        try:
            raw, quarantine = (
                catalog.load_table(name) for name in (contract.raw_table, QUARANTINE_TABLE)
            )
        except NoSuchTableError:
            raise TableMissingError(contract.raw_table) from None
        self.raw = CopiedTable(grounds, raw, contract.tier, contract.dataset)
        self.quarantine = CopiedTable(grounds, quarantine, "hdfs", QUARANTINE_DATASET)
        self.acknowledged: dict[Position, str | None] = {}
        self.landed: dict[Position, str] = {}
        self.quarantined: dict[Position, str] = {}
        self.refused: pa.Table
        self.refused_at: Position

    def copy(self, ledger: Path) -> None:
        """Make the copies, also beside producers and landing.

        The ledger comes last: its intents are older than any row. What it says of records that
        the copied raw table has not come to is left out.
        """
        self.raw.copy()
        self.quarantine.copy(EqualTo(term="dataset", value=self.contract.dataset))
        topic = self.contract.topic
        offsets = recorded(self.raw.table) or {}
        ends = offsets.get(topic, TopicOffsets()).ends
        self._pristine = self._grounds.scratch / "pristine"
        copy_ledger(ledger, self._pristine, self.contract.dataset, ends)
        self.acknowledged = acknowledged(self._pristine)
        for path, rows in self.raw.every_file(PLACE).items():
            self.landed |= dict.fromkeys(self._vouched(rows, topic), path)
        columns = (*PLACE, "dataset", "status")
        for path, rows in self.quarantine.every_file(columns).items():
            mine = pc.equal(rows["dataset"], self.contract.dataset)
            settled = pc.is_in(rows["status"], value_set=pa.array([REPLAYED, DISCARDED]))
            still_open = rows.filter(pc.and_(mine, pc.invert(settled)))
            self.quarantined |= dict.fromkeys(self._vouched(still_open, topic), path)
        self._plant()
        self.restore()

    def restore(self) -> None:
        """Undo every damage."""
        self.raw.restore()
        self.quarantine.restore()
        for folder in (self.ledger, self.runs):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self._pristine, self.ledger)
        fault_runs.write_honest(self.runs)

    def row(self, position: Position) -> pa.Table:
        """The row of raw at a position."""
        rows = self.raw.rows(self.landed[position])
        return rows.filter(at(rows, {position}))

    def a_landed(self) -> Position:
        """The position of any row of raw.

        Raises:
            NothingToDamageError: there is none.
        """
        return self.any_of(self.landed, "acknowledged record in raw")

    def any_of(self, positions: dict[Position, str], what: str) -> Position:
        """Any of the positions; NothingToDamageError where there is none."""
        if not positions:
            raise NothingToDamageError(self.contract.dataset, what)
        return self.choose.choice(sorted(positions))

    def take_out(self, positions: set[Position]) -> None:
        """Take rows out of raw."""

        def keep(rows: pa.Table) -> pa.Table:
            return rows.filter(pc.invert(at(rows, positions)))

        self.raw.edit(dict.fromkeys(self._files(positions), keep))

    def set_cells(self, cells: Mapping[Position, Mapping[str, object]]) -> None:
        """Write values, by column, into the rows of raw at the positions."""

        def write(rows: pa.Table) -> pa.Table:
            edited = rows
            for position, values in cells.items():
                for index in pc.indices_nonzero(at(rows, {position})).to_pylist():
                    for name, value in values.items():
                        edited = with_cell(edited, index, name, value)
            return edited

        self.raw.edit(dict.fromkeys(self._files(cells), write))

    def _files(self, positions: Iterable[Position]) -> list[str]:
        return sorted({self.landed[position] for position in positions})

    def _vouched(self, rows: pa.Table, topic: str) -> list[Position]:
        """The positions of rows whose digest is the one that the ledger has there."""
        columns = (rows[name].to_pylist() for name in PLACE)
        return [
            (partition, offset)
            for of, partition, offset, digest in zip(*columns, strict=True)
            if of == topic and self.acknowledged.get((partition, offset), "") == digest
        ]

    def _plant(self) -> None:
        """Have a record refused: like a landed one, with bytes that no other record has."""
        partition, _ = like = self.a_landed()
        known = {*self.acknowledged, *self.landed, *self.quarantined}
        last = max(offset for each, offset in known if each == partition)
        self.refused_at = partition, last + 1
        row = self.row(like)
        has_value = VALUE_COLUMN in row.column_names
        value = (row[VALUE_COLUMN][0].as_py() if has_value else None) or b""
        value += b"refused"
        digest = hashlib.sha256(value).hexdigest()
        dataset, topic = self.contract.dataset, self.contract.topic
        run = plant_refused(self._pristine, dataset, topic, digest)
        cells = {
            "kafka_offset": last + 1,
            "value_sha256": digest,
            HEADERS_COLUMN: [{"key": RUN_HEADER, "value": run.encode()}],
            **({VALUE_COLUMN: value} if has_value else {}),
        }
        for name, cell in cells.items():
            row = with_cell(row, 0, name, cell)
        self.refused = row


def at(rows: pa.Table, positions: set[Position]) -> pa.Array:
    """Which rows are at one of the positions."""
    places = zip(rows["kafka_partition"].to_pylist(), rows["kafka_offset"].to_pylist(), strict=True)
    return pa.array([place in positions for place in places], pa.bool_())


def with_cell(rows: pa.Table, index: int, name: str, value: object) -> pa.Table:
    """The rows with another value in one cell."""
    place = rows.column_names.index(name)
    column = rows[name].combine_chunks()
    if isinstance(column, pa.ChunkedArray):  # of a table without rows
        column = pa.concat_arrays(column.chunks)
    changed = pa.array([value], column.type)
    parts = [column.slice(0, index), changed, column.slice(index + 1)]
    return rows.set_column(place, rows.schema.field(name), pa.concat_arrays(parts))
