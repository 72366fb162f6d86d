"""Names that a contract may not use, and the grammar of those it may.

Without a client library, so that a contract can be checked anywhere.
"""

from __future__ import annotations

import re

#: Datasets and fields: lower-case words joined by underscores, as SQL wants them unquoted.
SNAKE_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
#: Topics: `<entity>` or `<domain>.<entity>`. No underscore: Kafka's metrics can not tell it
#: from a dot. A dead-letter topic's `.dlq` is ours to add.
TOPIC_NAME = re.compile(r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)*")
DEAD_LETTER_SUFFIX = ".dlq"
#: What Kafka allows at most is 249.
LONGEST_NAME = 100

VALUE_COLUMN = "value"
HEADERS_COLUMN = "kafka_headers"
#: Raw tables are partitioned by the day of this column: it only grows, so old days expire whole.
PARTITION_SOURCE = "kafka_at"

QUARANTINE_DATASET = "quarantine"
QUARANTINE_TABLE = f"raw.{QUARANTINE_DATASET}"
#: A record is `open` until a person or a corrected contract settles it: `replayed` ones are in
#: their raw table, `discarded` ones stay here for good.
OPEN, REPLAYED, DISCARDED = "open", "replayed", "discarded"
QUARANTINE_STATES = (OPEN, REPLAYED, DISCARDED)
#: In the summary of a snapshot that changed states: by which command.
MARK_KEY = "millrace.quarantine"
REPLAY, DISCARD = "replay", "discard"
#: The property of a table that says how many days it keeps rows.
RETENTION_DAYS = "millrace.retention-days"

RESERVED_DATASETS = frozenset({QUARANTINE_DATASET})
RESERVED_FIELDS = frozenset(
    {
        "kafka_topic",
        "kafka_partition",
        "kafka_offset",
        "kafka_at",
        "kafka_key",
        HEADERS_COLUMN,
        "is_tombstone",
        "schema_id",
        "value_sha256",
        "landed_at",
        VALUE_COLUMN,
    }
)
