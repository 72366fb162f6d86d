"""What one Spark task does: sift its records, write the files, send back their descriptions.

A Python worker serves many batches; the registry's cache and the file systems live as long as it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache

import pyarrow as pa

from millrace.lake import io_properties
from millrace.lake.io import LakeFileIO
from millrace.landing.schemas import Registry
from millrace.landing.sift import LandingJob, sift_batches
from millrace.settings import load

#: A row of what a task sends back: `WrittenFile.to_json`.
RESULT_DDL = "file string"
RESULT_SCHEMA = pa.schema({"file": pa.string()})


@cache
def _registry() -> Registry:
    return Registry(load().registry.url)


@cache
def _file_io() -> LakeFileIO:
    return LakeFileIO(io_properties(load()))


def land(batches: Iterable[pa.RecordBatch], job: LandingJob) -> Iterator[pa.RecordBatch]:
    """Sift the records of a task; give one row a written file."""
    for file in sift_batches(batches, job, _registry(), _file_io()):
        yield pa.RecordBatch.from_pydict({"file": [file.to_json()]}, schema=RESULT_SCHEMA)
