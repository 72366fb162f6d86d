"""Tables as their metadata and files say: how far they are landed, and what rows they hold."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.expressions import AlwaysTrue, EqualTo
from pyiceberg.table import Table

from millrace.verify.errors import PointerError, SourceAwayError, VerifyError, raise_if_away
from millrace.verify.files import Damage
from millrace.verify.keys import EMPTY, Keys, Mask, keys_of
from millrace.verify.rows import rows_of

#: In the summary of a landing snapshot: topic -> topic id, and partition -> next offset.
OFFSETS = "millrace.offsets"
RUN_HEADER = "millrace-run"
POSITION = ("kafka_partition", "kafka_offset")
#: Rows of both tables that the laws of delivery and order need.
HELD_COLUMNS = ("kafka_topic", *POSITION, "kafka_at", "kafka_headers", "value_sha256")

#: Which rows are of a topic of the same name that is gone, by position and time.
Former = Callable[[Keys, Keys], Mask]


@dataclass(frozen=True)
class Landed:
    """How far a table says that it has landed a topic.

    Attributes:
        ends: partition to the next offset.
        is_recorded: whether a snapshot says so; else nobody does.
    """

    ends: dict[int, int] = field(default_factory=dict)
    topic_id: str | None = None
    is_recorded: bool = False


def load(catalog: Catalog, name: str) -> Table:
    """The table at the catalog's pointer.

    Raises:
        VerifyError: there is no such table.
        PointerError: the catalog points to a metadata file that is not there or does not read.
        SourceAwayError: the catalog or its store does not answer.
    """
    try:
        return catalog.load_table(name)
    except NoSuchTableError:
        raise VerifyError(f"table {name}", "there is no such table", "bin/millrace apply") from None
    except Exception as error:  # Thrift's classes and those of the stores have no common base
        raise_if_away(error, f"table {name}")
        if "thrift" in type(error).__module__.lower():
            raise SourceAwayError(f"table {name}", f"the metastore: {error!r}") from error
        raise PointerError(name, f"the catalog's metadata file: {error}") from error


def landed(table: Table, topic: str) -> Landed:
    """What the nearest snapshot that speaks of the topic says."""
    snapshot = table.current_snapshot()
    while snapshot is not None:
        text = snapshot.summary.get(OFFSETS) if snapshot.summary else None
        entry = json.loads(text).get(topic) if text else None
        if entry is not None:
            ends = {int(part): int(end) for part, end in entry["offsets"].items()}
            return Landed(ends, entry.get("topic_id"), True)
        parent = snapshot.parent_snapshot_id
        snapshot = table.snapshot_by_id(parent) if parent is not None else None
    return Landed()


def names_at_snapshot(table: Table) -> dict[str, str]:
    """Name of each column to what it was called in the current snapshot, if it was there.

    A schema may change without a snapshot; an engine that reads a snapshot uses the names of then.
    """
    now, snapshot = table.schema(), table.current_snapshot()
    number = snapshot.schema_id if snapshot is not None else None
    then = table.schemas().get(now.schema_id if number is None else number, now)
    former = {each.field_id: each.name for each in then.fields}
    return {each.name: former[each.field_id] for each in now.fields if each.field_id in former}


def scan(
    table: Table,
    columns: Sequence[str] = ("*",),
    dataset: str | None = None,
    unread: list[Damage] | None = None,
) -> Iterator[pa.RecordBatch]:
    """The rows of the table's current snapshot, a file after the other, in bounded batches.

    Args:
        dataset: only rows whose column `dataset` says so, which has to be among the columns.
        unread: takes the files that can not be read, whose rows are missing then.
    """
    unread = [] if unread is None else unread
    where = AlwaysTrue() if dataset is None else EqualTo(term="dataset", value=dataset)
    found = table.scan(row_filter=where, selected_fields=tuple(columns))
    name = ".".join(table.name())
    try:
        tasks = sorted(found.plan_files(), key=lambda task: task.file.file_path)
    except Exception as error:  # damaged manifests raise whatever their bytes mean
        raise_if_away(error, f"table {name}")
        unread.append(Damage(name, f"can not be read: {error}"))
        return
    for task in tasks:
        try:
            for batch in rows_of(task, found.projection(), table.io):
                rows = batch
                if dataset is not None:
                    rows = batch.filter(pc.equal(batch["dataset"], dataset))
                if rows.num_rows:
                    yield rows
        except Exception as error:  # as above
            raise_if_away(error, f"table {name}")
            unread.append(Damage(task.file.file_path, f"can not be read: {error}"))


@dataclass
class Held:
    """The rows of one topic that a table holds, by position.

    Attributes:
        keys: of each row.
        at: time in Kafka, microseconds.
        digests: `value_sha256`.
        runs: the producer's run that the row's headers name, None for a foreign producer.
        status: of a quarantined record; empty for a raw table.
        resolved: when that was replayed or discarded, microseconds, 0 for an open one; the same.
        strangers: rows of other topics.
    """

    keys: Keys = field(default_factory=lambda: EMPTY)
    at: Keys = field(default_factory=lambda: EMPTY)
    digests: pa.Array = field(default_factory=lambda: pa.array([], pa.string()))
    runs: pa.Array = field(default_factory=lambda: pa.array([], pa.string()))
    status: pa.Array = field(default_factory=lambda: pa.array([], pa.string()))
    resolved: Keys = field(default_factory=lambda: EMPTY)
    strangers: int = 0

    def where(self, mask: Mask) -> Held:
        """The rows of the mask."""
        chosen = pa.array(mask)
        return Held(
            self.keys[mask],
            self.at[mask],
            self.digests.filter(chosen),
            self.runs.filter(chosen),
            self.status.filter(chosen) if len(self.status) else self.status,
            self.resolved[mask] if len(self.resolved) else self.resolved,
            self.strangers,
        )

    def of_status(self, *states: str) -> Keys:
        """The keys of the quarantined records in one of the states, sorted."""
        chosen = pc.is_in(self.status, value_set=pa.array(states, pa.string()))
        return np.sort(self.keys[chosen.to_numpy(zero_copy_only=False)])


class Gatherer:
    """Collects what is held of a topic, batch by batch, without the rows of a former topic.

    Args:
        with_states: of quarantine; a raw table may have columns of these names of its own.
    """

    def __init__(
        self, topic: str, former: Former | None = None, *, with_states: bool = False
    ) -> None:
        self._topic = topic
        self._with_states = with_states
        self._former = former
        self._keys: list[Keys] = []
        self._at: list[Keys] = []
        self._resolved: list[Keys] = []
        self._texts: dict[str, list[pa.Array]] = {"digests": [], "runs": [], "status": []}
        self._strangers = 0

    def add(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Take a batch; returns its rows of the topic."""
        mine = batch.filter(pc.equal(batch["kafka_topic"], self._topic))
        self._strangers += batch.num_rows - mine.num_rows
        keys, at = _places(mine)
        if self._former is not None and mine.num_rows:
            kept = ~self._former(keys, at)
            mine, keys, at = mine.filter(pa.array(kept)), keys[kept], at[kept]
        if not mine.num_rows:
            return mine
        self._keys.append(keys)
        self._at.append(at)
        self._texts["digests"].append(mine["value_sha256"].cast(pa.string()))
        self._texts["runs"].append(runs_of(mine["kafka_headers"]))
        if self._with_states:
            self._texts["status"].append(mine["status"].cast(pa.string()))
            self._resolved.append(_micros(mine["resolved_at"]))
        return mine

    def held(self) -> Held:
        """All that was taken."""
        if not self._keys:
            return Held(strangers=self._strangers)
        texts = {name: pa.concat_arrays(each) for name, each in self._texts.items() if each}
        keys, at = np.concatenate(self._keys), np.concatenate(self._at)
        resolved = np.concatenate(self._resolved) if self._resolved else EMPTY
        return Held(keys, at, **texts, resolved=resolved, strangers=self._strangers)


def _places(rows: pa.RecordBatch) -> tuple[Keys, Keys]:
    """Position and time in Kafka of each row."""
    return keys_of(rows["kafka_partition"], rows["kafka_offset"]), _micros(rows["kafka_at"])


def _micros(times: pa.Array) -> Keys:
    """Microseconds since the epoch, 0 for none."""
    micros: Keys = times.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    return micros


def runs_of(headers: pa.Array) -> pa.Array:
    """The producer's run that each row's headers name, dictionary-encoded; null where none."""
    entries = pc.list_flatten(headers)
    parents = pc.list_parent_indices(headers)
    chosen = pc.equal(pc.struct_field(entries, "key"), RUN_HEADER)
    values = pc.struct_field(entries, "value").filter(chosen).cast(pa.binary())
    found = np.full(len(headers), -1, np.int64)
    found[parents.filter(chosen).to_numpy(zero_copy_only=False)] = np.arange(len(values))
    names = pc.cast(values, pa.string(), safe=False)
    return names.take(pa.array(found, mask=found < 0))
