"""The twelve damages: what is done to the copy, and what the verifier has to say of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from millrace.contracts.names import VALUE_COLUMN
from millrace.sabotage import fault_runs
from millrace.sabotage.ledger import empty_ledger
from millrace.sabotage.scene import NothingToDamageError, Position, Scene, at

#: The law of a fault run's record; the other laws are those of the verifier.
FAULT = "fault"
GAP_ROWS = 3
#: Rows that two values are looked for in, to be swapped.
TRIES = 50


@dataclass(frozen=True)
class Mark:
    """What has to be found.

    Attributes:
        law: the law that the damage breaks.
        positions: where it was done, of records.
        names: where it was done, of other things; a finding has to name each.
    """

    law: str
    positions: frozenset[Position] = frozenset()
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Damage:
    """One way to damage a copy."""

    name: str
    text: str
    do: Callable[[Scene], Mark]


def delete(scene: Scene) -> Mark:
    """An acknowledged record is in no table."""
    position = scene.a_landed()
    scene.take_out({position})
    return Mark("L1", frozenset({position}))


def duplicate(scene: Scene) -> Mark:
    """A row is there twice, in two files."""
    position = scene.a_landed()
    scene.raw.add(scene.row(position))
    return Mark("L4", frozenset({position}))


def swap(scene: Scene) -> Mark:
    """Two rows exchange the values of one column, so the column's checksum stays."""
    one, other, name = _to_swap(scene)
    values = {place: scene.row(place)[name][0].as_py() for place in (one, other)}
    scene.set_cells({one: {name: values[other]}, other: {name: values[one]}})
    return Mark("L5", frozenset({one, other}))


def change_byte(scene: Scene) -> Mark:
    """One byte of one text is another; the record's own bytes beside it are not."""
    position, name = _text(scene)
    value = scene.row(position)[name][0].as_py()
    scene.set_cells({position: {name: other_byte(value)}})
    return Mark("L5", frozenset({position}))


def drop_quarantined(scene: Scene) -> Mark:
    """A refused record is no longer in quarantine, and nowhere else."""
    position = scene.any_of(scene.quarantined, "open record in quarantine")
    path = scene.quarantined[position]
    mine = {position}

    def keep(rows: pa.Table) -> pa.Table:
        others = pc.not_equal(rows["kafka_topic"], scene.contract.topic)
        return rows.filter(pc.or_(others, pc.invert(at(rows, mine))))

    scene.quarantine.edit({path: keep})
    return Mark("L1", frozenset(mine))


def land_refused(scene: Scene) -> Mark:
    """A record that the broker refused is in raw."""
    scene.raw.add(scene.refused)
    return Mark("L2", frozenset({scene.refused_at}))


def roll_back_pointer(scene: Scene) -> Mark:
    """The metastore points at the version before; the table's own offsets went back with it."""
    *_, before, _ = scene.raw.versions
    newest = set(scene.raw.newest)
    lost = frozenset(place for place, path in scene.landed.items() if path in newest)
    if not lost:
        raise NothingToDamageError(scene.contract.dataset, "acknowledged record in its last commit")
    scene.raw.point_to(before)
    return Mark("L1", lost)


def remove_file(scene: Scene) -> Mark:
    """A data file is gone behind the table's back."""
    path = scene.landed[scene.a_landed()]
    scene.raw.remove_file(path)
    return Mark("L7", names=(path.rpartition("/")[2],))


def gap_at_end(scene: Scene) -> Mark:
    """The last rows of a partition are gone, the table's offsets say they are landed."""
    gap = _places_of_a_partition(scene)[-GAP_ROWS:]
    scene.take_out(set(gap))
    return Mark("L4", frozenset(gap))


def gap_at_start(scene: Scene) -> Mark:
    """The first rows of a partition are gone."""
    gap = _places_of_a_partition(scene)[:GAP_ROWS]
    scene.take_out(set(gap))
    return Mark("L4", frozenset(gap))


def false_fault(scene: Scene) -> Mark:
    """Records of fault runs tell of faults that did not happen."""
    return Mark(FAULT, names=tuple(fault_runs.write_forged(scene.runs, scene.raw.table)))


def clear_ledger(scene: Scene) -> Mark:
    """The ledger tells of no record, so nothing could be missing."""
    empty_ledger(scene.ledger)
    return Mark("L1", names=("ledger",))


DAMAGES = (
    Damage("delete", "delete a row", delete),
    Damage("duplicate", "land a row twice", duplicate),
    Damage("swap", "swap two values of a column", swap),
    Damage("change-byte", "change one byte", change_byte),
    Damage("drop-quarantined", "drop a quarantined row", drop_quarantined),
    Damage("land-refused", "land a refused record", land_refused),
    Damage("roll-back", "point the metastore one version back", roll_back_pointer),
    Damage("remove-file", "remove a data file", remove_file),
    Damage("gap-at-end", "leave a gap at the end", gap_at_end),
    Damage("gap-at-start", "leave a gap at the start", gap_at_start),
    Damage("false-fault", "report faults that did not happen", false_fault),
    Damage("empty-ledger", "empty the ledger", clear_ledger),
)


def other_byte(value: str | bytes) -> str | bytes:
    """The value with another last byte; a text stays one."""
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1])
    return value[:-1] + ("a" if value[-1] != "a" else "b")


def _text(scene: Scene) -> tuple[Position, str]:
    """A row and a text in it; the record's bytes where no row that was looked at has a text."""
    texts = [field.name for field in scene.contract.fields if field.type == "string"]
    for names in (texts, [VALUE_COLUMN]):
        for _ in range(TRIES):
            position = scene.a_landed()
            row = scene.row(position)
            if found := [
                name for name in names if name in row.column_names and row[name][0].as_py()
            ]:
                return position, scene.choose.choice(found)
    raise NothingToDamageError(scene.contract.dataset, "text and no bytes of its records")


def _to_swap(scene: Scene) -> tuple[Position, Position, str]:
    """Two rows, and a column in which both have a value and not the same."""
    names = [field.name for field in scene.contract.fields]
    for _ in range(TRIES):
        one, other = scene.a_landed(), scene.a_landed()
        row, against = (
            {name: scene.row(each)[name][0].as_py() for name in names} for each in (one, other)
        )
        differ = [
            name
            for name in names
            if None not in (row[name], against[name]) and row[name] != against[name]
        ]
        if differ:
            return one, other, scene.choose.choice(differ)
    raise NothingToDamageError(scene.contract.dataset, "two records with values that differ")


def _places_of_a_partition(scene: Scene) -> list[Position]:
    """The positions of the partition with the most rows, in their order, more than a gap's."""
    by_partition: dict[int, list[Position]] = {}
    for position in sorted(scene.landed):
        by_partition.setdefault(position[0], []).append(position)
    most = max(by_partition.values(), key=len, default=[])
    if len(most) <= GAP_ROWS:
        raise NothingToDamageError(scene.contract.dataset, f"partition of {GAP_ROWS + 1} records")
    return most
