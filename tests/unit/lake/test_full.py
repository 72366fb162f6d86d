"""A store without room is told by its name, so that landing waits and says why."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from millrace.lake.errors import HdfsFullError
from millrace.lake.io import _refuse_errors

QUOTA = "The DiskSpace quota of /data/streaming/orders is exceeded: quota = 1 B = 1 B"
NO_NODE = (
    "File /a.parquet could only be written to 0 of the 1 minReplication nodes. There are {} "
    "datanode(s) running and 0 node(s) are excluded in this operation."
)


def answer(name: str, message: str) -> SimpleNamespace:
    """What WebHDFS says of an exception."""
    text = json.dumps({"RemoteException": {"exception": name, "message": message}})
    return SimpleNamespace(status_code=403, text=text)


@pytest.mark.parametrize(
    ("name", "message"),
    [("DSQuotaExceededException", QUOTA), ("IOException", NO_NODE.format(1))],
)
def test_a_store_without_room_may_have_room_again(name: str, message: str) -> None:
    with pytest.raises(HdfsFullError) as refused:
        _refuse_errors(answer(name, message), "CREATE /a.parquet")
    assert refused.value.transient
    assert "has no room" in str(refused.value)


def test_other_refusals_are_no_want_of_room() -> None:
    with pytest.raises(OSError, match="0 datanode"):
        _refuse_errors(answer("IOException", NO_NODE.format(0)), "CREATE /a.parquet")
    _refuse_errors(SimpleNamespace(status_code=201, text=""), "CREATE /a.parquet")
