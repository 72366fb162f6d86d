"""Rows of one table to Parquet files, one a partition value, ready for a commit.

A file carries Iceberg's field ids, so readers match columns by id, through renames too. It is
streamed to its store; a description of it (`WrittenFile`) goes to whoever commits.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.io import FileIO
from pyiceberg.io.pyarrow import (
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    parquet_path_to_id_mapping,
    schema_to_pyarrow,
)
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.table.locations import load_location_provider
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.typedef import Record

#: Rows are kept until they are worth a row group; the second bound limits memory.
GROUP_ROWS = 100_000
GROUP_BYTES = 32 * 1024 * 1024
ZSTD_LEVEL = 1
BOUNDS = ("lower_bounds", "upper_bounds")


@dataclass(frozen=True)
class WrittenFile:
    """A data file that no snapshot has yet.

    Attributes:
        table: `namespace.name`.
        partition: the partition values, in the order of the spec.
        spec_id: the spec they belong to.
        arguments: the statistics, as PyIceberg's `DataFile` takes them.
    """

    table: str
    path: str
    size_bytes: int
    spec_id: int
    partition: tuple[Any, ...]
    arguments: Mapping[str, Any]

    @property
    def rows(self) -> int:
        """How many rows it holds."""
        return int(self.arguments["record_count"])

    def data_file(self) -> DataFile:
        """What a snapshot says of it."""
        return DataFile.from_args(
            content=DataFileContent.DATA,
            file_path=self.path,
            file_format=FileFormat.PARQUET,
            file_size_in_bytes=self.size_bytes,
            partition=Record(*self.partition),
            spec_id=self.spec_id,
            # Trino's "$entries" table fails without it.
            sort_order_id=0,
            equality_ids=None,
            key_metadata=None,
            **self.arguments,
        )

    def to_json(self) -> str:
        """Text that `from_json` reads."""
        arguments = dict(self.arguments)
        for name in BOUNDS:
            bounds = arguments[name].items()
            arguments[name] = {key: base64.b64encode(each).decode() for key, each in bounds}
        return json.dumps({**self.__dict__, "arguments": arguments})

    @classmethod
    def from_json(cls, text: str) -> WrittenFile:
        """The file that `to_json` wrote."""
        values = json.loads(text)
        # JSON made strings of the field ids.
        arguments = {
            name: {int(key): each for key, each in value.items()}
            if isinstance(value, dict)
            else value
            for name, value in values.pop("arguments").items()
        }
        for name in BOUNDS:
            bounds = arguments[name].items()
            arguments[name] = {key: base64.b64decode(each) for key, each in bounds}
        partition = tuple(values.pop("partition"))
        return cls(**values, partition=partition, arguments=arguments)


def without_history(metadata: TableMetadata) -> str:
    """The metadata a writer needs, as text: schema, partitioning, location, properties."""
    lean: dict[str, Any] = {
        "snapshots": [],
        "snapshot_log": [],
        "metadata_log": [],
        "refs": {},
        "statistics": [],
        "partition_statistics": [],
        "current_snapshot_id": None,
        # The same text after every commit, so that a worker parses it once.
        "last_updated_ms": 0,
        "last_sequence_number": 0,
    }
    return metadata.model_copy(update=lean).model_dump_json()


class TableWriter:
    """Writes rows of one table; `close` gives the files, `abort` removes them."""

    def __init__(self, table: str, metadata: TableMetadata, io: FileIO) -> None:
        self._table = table
        self._metadata = metadata
        self._io = io
        self._schema = metadata.schema()
        self._files: dict[tuple[Any, ...], _PartitionFile] = {}
        self.arrow_schema: pa.Schema = schema_to_pyarrow(self._schema, include_field_ids=True)

    def write(self, rows: pa.Table) -> None:
        """Add rows, in the order and with the types of `arrow_schema`."""
        for values, part in self._split(rows):
            if values not in self._files:
                self._files[values] = _PartitionFile(
                    self._io, self._new_path(values), self.arrow_schema
                )
            self._files[values].write(part)

    def close(self) -> list[WrittenFile]:
        """Finish every file."""
        plan = compute_statistics_plan(self._schema, self._metadata.properties)
        columns = parquet_path_to_id_mapping(self._schema)
        written = []
        for values, file in self._files.items():
            metadata, size = file.close()
            statistics = data_file_statistics_from_parquet_metadata(
                parquet_metadata=metadata, stats_columns=plan, parquet_column_mapping=columns
            )
            written.append(
                WrittenFile(
                    table=self._table,
                    path=file.path,
                    size_bytes=size,
                    spec_id=self._metadata.default_spec_id,
                    partition=values,
                    arguments=statistics.to_serialized_dict(),
                )
            )
        return written

    def abort(self) -> None:
        """Remove what was written; what can not be removed is an orphan for the cleaner."""
        for file in self._files.values():
            file.abort()

    def _split(self, rows: pa.Table) -> Iterable[tuple[tuple[Any, ...], pa.Table]]:
        """The rows by their partition values."""
        columns = [self._partition_values(field, rows) for field in self._metadata.spec().fields]
        if not columns:
            return [((), rows)]
        groups: dict[tuple[Any, ...], list[int]] = {}
        for index, values in enumerate(zip(*columns, strict=True)):
            groups.setdefault(values, []).append(index)
        if len(groups) == 1:
            return [(next(iter(groups)), rows)]
        return [(values, rows.take(indices)) for values, indices in groups.items()]

    def _partition_values(self, field: Any, rows: pa.Table) -> list[Any]:
        source = self._schema.find_field(field.source_id)
        transform: Callable[[Any], Any] = field.transform.transform(source.field_type)
        column = rows.column(source.name)
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.int64())
        return [transform(value) for value in column.to_pylist()]

    def _new_path(self, values: tuple[Any, ...]) -> str:
        metadata = self._metadata
        provider = load_location_provider(metadata.location, metadata.properties)
        name = f"{uuid.uuid4().hex}.parquet"
        if values:
            name = f"{metadata.spec().partition_to_path(Record(*values), self._schema)}/{name}"
        return provider.new_data_location(name)


class _PartitionFile:
    """One Parquet file, streamed."""

    def __init__(self, io: FileIO, path: str, schema: pa.Schema) -> None:
        self.path = path
        self._io = io
        self._schema = schema
        self._out: Any = io.new_output(path).create()
        self._metadata: list[pq.FileMetaData] = []
        self._parquet = pq.ParquetWriter(
            self._out,
            schema,
            compression="zstd",
            compression_level=ZSTD_LEVEL,
            metadata_collector=self._metadata,
            store_schema=False,
        )
        self._kept: list[pa.Table] = []

    def write(self, rows: pa.Table) -> None:
        self._kept.append(rows)
        many = sum(each.num_rows for each in self._kept) >= GROUP_ROWS
        if many or sum(each.nbytes for each in self._kept) >= GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._kept:
            self._parquet.write_table(pa.concat_tables(self._kept), row_group_size=GROUP_ROWS)
            self._kept = []

    def close(self) -> tuple[pq.FileMetaData, int]:
        self._flush()
        self._parquet.close()
        size: int = self._out.tell()
        self._out.close()
        return self._metadata[0], size

    def abort(self) -> None:
        self._out.close()
        self._io.delete(self.path)
