"""The rows of data files, as they are in the files.

PyIceberg plans the scan. Its own projection of rows is not used: in 0.12 it makes an empty list of
a null one where the items are structs, so a lost value would not show. Columns are found by their
field ids, so names of before do not matter, and what a file lacks is null.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.io import FileIO
from pyiceberg.io.pyarrow import _read_all_delete_files, schema_to_pyarrow
from pyiceberg.schema import Schema
from pyiceberg.table import FileScanTask
from pyiceberg.types import IcebergType, ListType, NestedField, StructType

BATCH_ROWS = 32_768
_FIELD_ID = b"PARQUET:field_id"


def rows_of(task: FileScanTask, schema: Schema, io: FileIO) -> Iterator[pa.RecordBatch]:
    """The live rows of a data file, with the columns of the schema, in bounded batches."""
    deleted = _deleted(task, io)
    with io.new_input(task.file.file_path).open() as stream:
        file = pq.ParquetFile(stream)
        columns = [(field, _find(file.schema_arrow, field)) for field in schema.fields]
        wanted = [found.name for _, found in columns if found is not None]
        first = 0
        for batch in file.iter_batches(BATCH_ROWS, columns=wanted):
            arrays = [
                _project(batch[found.name], field.field_type)
                if found is not None
                else pa.nulls(batch.num_rows, _arrow_type(field))
                for field, found in columns
            ]
            rows = pa.RecordBatch.from_arrays(arrays, [field.name for field, _ in columns])
            positions = np.arange(first, first + batch.num_rows)
            first += batch.num_rows
            yield rows.filter(pa.array(~np.isin(positions, deleted))) if len(deleted) else rows


def _deleted(task: FileScanTask, io: FileIO) -> np.ndarray:
    """Positions in the file that delete files name."""
    chunks = _read_all_delete_files(io, [task]).get(task.file.file_path, [])
    parts = [np.asarray(chunk, np.int64) for chunk in chunks]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def _find(fields: Sequence[pa.Field], wanted: NestedField) -> pa.Field | None:
    """The field of that id; of that name in a file whose fields have no ids."""
    for field in fields:
        number = (field.metadata or {}).get(_FIELD_ID)
        if number is None and field.name == wanted.name:
            return field
        if number is not None and int(number) == wanted.field_id:
            return field
    return None


def _project(array: pa.Array, kind: IcebergType) -> pa.Array:
    """The array with the present names of what is nested in it; nulls stay nulls."""
    if isinstance(kind, StructType) and not _names_agree(array.type, kind):
        children = []
        for field in kind.fields:
            found = _find(list(array.type), field)
            children.append(
                pa.nulls(len(array), _arrow_type(field))
                if found is None
                else _project(array.field(found.name), field.field_type)
            )
        names = [field.name for field in kind.fields]
        return pa.StructArray.from_arrays(children, names, mask=array.is_null())
    if isinstance(kind, ListType) and not _names_agree(array.type, kind):
        # A mask does not go with an array that is a slice of another.
        whole = pa.concat_arrays([array])
        values = _project(whole.values, kind.element_type)
        return type(whole).from_arrays(whole.offsets, values, mask=whole.is_null())
    return array


def _names_agree(arrow: pa.DataType, kind: IcebergType) -> bool:
    """Whether the file's nested names are the present ones, at every depth."""
    if isinstance(kind, StructType):
        inner = list(arrow)
        return [each.name for each in inner] == [each.name for each in kind.fields] and all(
            _names_agree(each.type, field.field_type)
            for each, field in zip(inner, kind.fields, strict=True)
        )
    if isinstance(kind, ListType):
        return _names_agree(arrow.value_type, kind.element_type)
    return True


def _arrow_type(field: NestedField) -> pa.DataType:
    return schema_to_pyarrow(field.field_type, include_field_ids=False)
