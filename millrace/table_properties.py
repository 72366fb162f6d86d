"""What every Iceberg table of the lake is made with, by whichever engine makes it."""

from __future__ import annotations

TABLE_PROPERTIES = {
    "write.format.default": "parquet",
    # Level 1 costs half the processor time of Iceberg's default 3 for 3 to 5 % more bytes.
    "write.parquet.compression-codec": "zstd",
    "write.parquet.compression-level": "1",
    # Others commit beside the writer: 24 of 24 concurrent commits were kept so.
    "commit.retry.num-retries": "30",
    # Every commit writes a metadata file, landing one every few seconds.
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
}
