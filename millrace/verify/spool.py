"""The topic's records of the judged ranges, kept in a file while a subject is verified.

A raw table is read file by file, in whatever order its files are; the topic is read once, in the
order of its offsets. The file joins the two: it costs as much disk as the topic has bytes and, as
it is mapped, no memory of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from millrace.verify.keys import EMPTY, Keys, keys_of
from millrace.verify.topic import RECORDS


class Spool:
    """Records of one topic by position.

    Attributes:
        keys: of every record, sorted.
        at: their times in Kafka, microseconds.
    """

    def __init__(self, file: Path, batches: Iterable[pa.RecordBatch]) -> None:
        keys, at, rows = [EMPTY], [EMPTY], [0]
        with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, RECORDS) as writer:
            for batch in batches:
                writer.write_batch(batch)
                rows.append(rows[-1] + batch.num_rows)
                keys.append(keys_of(batch["kafka_partition"], batch["kafka_offset"]))
                at.append(np.asarray(batch["kafka_at"].cast(pa.int64()), np.int64))
        unsorted = np.concatenate(keys)
        self._order = np.argsort(unsorted, kind="stable")
        self.keys: Keys = unsorted[self._order]
        self.at: Keys = np.concatenate(at)[self._order]
        self._first_rows = np.asarray(rows)
        self._file = file
        self._reader = pa.ipc.open_file(pa.memory_map(str(file)))

    def remove(self) -> None:
        """Give the disk back; the records can not be read any more."""
        self._file.unlink()

    def records(self, keys: Keys) -> pa.Table:
        """The records at these positions, which it has all, in their order."""
        if not len(keys):
            return RECORDS.empty_table()
        rows = self._order[np.searchsorted(self.keys, keys)]
        order = np.argsort(rows, kind="stable")
        parts = pa.concat_tables(self._take(rows[order]))
        back = np.empty(len(rows), np.int64)
        back[order] = np.arange(len(rows))
        return parts.combine_chunks().take(pa.array(back))

    def _take(self, rows: Keys) -> Iterator[pa.Table]:
        """Sorted rows, a batch of the file after the other."""
        batches = np.searchsorted(self._first_rows, rows, side="right") - 1
        for number in np.unique(batches):
            batch = self._reader.get_batch(int(number))
            wanted = rows[batches == number] - self._first_rows[number]
            yield pa.Table.from_batches([batch.take(pa.array(wanted))])
