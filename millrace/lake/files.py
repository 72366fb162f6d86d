"""Rows of data files exactly as they are.

PyIceberg 0.12 reads a null list of structs as an empty one. A record without headers has null
headers, and neither a mark on its row nor its replay may change that. So a file is read with Arrow,
its columns by their field ids; only one with row deletes, which no command of ours makes, is left
to PyIceberg, which knows how to apply them.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.io.pyarrow import ArrowScan, schema_to_pyarrow
from pyiceberg.table import FileScanTask, Table

FIELD_ID = b"PARQUET:field_id"
#: Landing leaves many small files, and reading one is mostly waiting for the store.
READERS = 8


def read_files(table: Table, tasks: Sequence[FileScanTask]) -> list[pa.Table]:
    """The rows of each file, with the columns and types that a writer of the table wants."""
    with ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(partial(_read, table), tasks))


def _read(table: Table, task: FileScanTask) -> pa.Table:
    wanted: pa.Schema = schema_to_pyarrow(table.schema(), include_field_ids=True)
    if task.delete_files:
        rows = ArrowScan(table.metadata, table.io, table.schema(), AlwaysTrue()).to_table([task])
        return pa.Table.from_arrays(
            [rows[field.name].cast(field.type) for field in wanted], schema=wanted
        )
    with table.io.new_input(task.file.file_path).open() as stream:
        rows = pq.ParquetFile(stream).read()
    places = {field.metadata[FIELD_ID]: at for at, field in enumerate(rows.schema)}
    columns = []
    for field in wanted:
        at = places.get(field.metadata[FIELD_ID])
        column = pa.nulls(rows.num_rows, field.type) if at is None else rows.column(at)
        columns.append(column.cast(field.type))
    return pa.Table.from_arrays(columns, schema=wanted)
