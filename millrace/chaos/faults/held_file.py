"""A data file that stands still while it is written: a part of it is in its store, nobody answered.

The landing tasks write their Parquet files in one request each, through a gate of the world. The
moment between the first bytes and the answer lasts for milliseconds; the gate makes it last.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import unquote

from millrace.chaos.gate import Gate
from millrace.chaos.triggers import MOMENT_S, NotSeenError
from millrace.contracts import Contract

if TYPE_CHECKING:
    from millrace.chaos.world import World

#: The head of such a request has 400 to 1,000 bytes, the smallest file of one row 5,000.
HELD_AFTER_BYTES = 2_500
HDFS_SCHEME = "hdfs://millrace"


def of_tier(world: World, tier: str) -> Contract:
    """The dataset that flows into this store."""
    return next(each for each in world.contracts if each.tier == tier)


def folder_of(world: World, contract: Contract) -> str:
    """The folder of a raw table within its store: `/data/streaming/...`, or `/bucket/...`."""
    location = world.lake.load(contract.raw_table).location()
    scheme, _, rest = location.partition("://")
    return f"/{rest}" if scheme.startswith("s3") else location.removeprefix(HDFS_SCHEME)


@contextlib.contextmanager
def held_data_file(world: World, contract: Contract, within_s: float = MOMENT_S) -> Iterator[str]:
    """Hold the next data file of a raw table in the middle; on leaving it goes on.

    Yields:
        Its path within its store.

    Raises:
        NotSeenError: none was written in time.
    """
    folder = folder_of(world, contract)
    gate, prefix = _door(world, contract)
    pattern = rb"^PUT " + re.escape(f"{prefix}{folder}/").encode() + rb"[^ ]*\.parquet"
    with gate.holding(pattern, HELD_AFTER_BYTES) as hold:
        if not hold.held.wait(within_s):
            raise NotSeenError(f"a data file of {contract.raw_table} being written", within_s)
        target = hold.request.split(b" ")[1].decode().partition("?")[0]
        yield unquote(target).removeprefix(prefix)


def _door(world: World, contract: Contract) -> tuple[Gate, str]:
    if contract.tier == "s3":
        return world.gates.objectstore, ""
    return world.gates.datanode, "/webhdfs/v1"
