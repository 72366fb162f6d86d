"""Where tables live: addresses that last.

No host and no port: `hdfs://millrace` is a logical name service and `s3://data-lake` a bucket, so
that a table survives a move of its services. Documented in DESIGN's layers: raw and processed on
HDFS, marts and analytics on the object store.
"""

from __future__ import annotations

HDFS = "hdfs://millrace"
BUCKET = "s3://data-lake"

#: Catalog namespace -> folder that new tables of it are made in. The two with views are there
#: too, because the metastore wants a folder for each.
NAMESPACES: dict[str, str] = {
    "raw": f"{HDFS}/data/streaming",
    "processed": f"{HDFS}/data/processed",
    "marts": f"{BUCKET}/marts",
    "analytics": f"{BUCKET}/analytics",
    "staging": f"{BUCKET}/staging",
    "intermediate": f"{BUCKET}/intermediate",
}


def raw_location(dataset: str, tier: str) -> str:
    """The folder of a dataset's raw table in the store of its tier."""
    return f"{NAMESPACES['raw']}/{dataset}" if tier == "hdfs" else f"{BUCKET}/raw/{dataset}"
