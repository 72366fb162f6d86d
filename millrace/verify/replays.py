"""What a replay says that it put into the raw table: the digest beside the quarantined record."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from millrace.verify.keys import Keys, keys_of
from millrace.verify.tables import Held

#: Digest of the bytes that are in raw since the replay; tables of before have no such column.
REPLAYED = "replayed_sha256"


def replays(rows: pa.RecordBatch) -> list[tuple[int, str]]:
    """Position and digest in raw of the rows that are marked as replayed."""
    if REPLAYED not in rows.schema.names:
        return []
    keys = keys_of(rows["kafka_partition"], rows["kafka_offset"])
    columns = (rows[name].to_pylist() for name in ("status", REPLAYED, "value_sha256"))
    return [
        (int(key), replayed or original or "")
        for key, status, replayed, original in zip(keys, *columns, strict=True)
        if status == "replayed"
    ]


def other_than_replayed(raw: Held, said: Sequence[tuple[int, str]]) -> Keys:
    """The raw rows whose digest is not what their replay says."""
    expected = dict(said)
    mine = np.isin(raw.keys, np.fromiter(expected, np.int64, len(expected)))
    chosen = raw.where(mine)
    pairs = zip(chosen.keys.tolist(), chosen.digests.to_pylist(), strict=True)
    return np.array([key for key, digest in pairs if digest != expected[key]], np.int64)
