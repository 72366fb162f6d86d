"""What the landing application and its operators tell each other, as files on HDFS.

`/data/checkpoint/landing/` holds a marker that asks the application to stop, the state it reports,
and one throw-away checkpoint folder of each query it started.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, dataclass
from typing import Any

from millrace.lake.io import LakeWebHdfs, hdfs
from millrace.settings import Settings

FOLDER = "/data/checkpoint/landing"
STOP = f"{FOLDER}/stop"
STATE = f"{FOLDER}/state.json"
OFFSET_LOG_LINES = 3


@dataclass(frozen=True)
class State:
    """What the application says of itself.

    Attributes:
        state: `starting`, `running`, `retrying`, `failed` or `stopped`.
        at: when it said so, seconds since the epoch.
        detail: the error, where there is one.
    """

    state: str
    application_id: str
    at: float
    topics: tuple[str, ...] = ()
    batches: int = 0
    records: int = 0
    detail: str = ""


class Control:
    """The control folder."""

    def __init__(self, settings: Settings) -> None:
        self._hdfs: LakeWebHdfs = hdfs(
            settings.namenode.web_url, "millrace", settings.datanode.redirects
        )

    def ask_to_stop(self) -> None:
        """Leave the marker."""
        self._write(STOP, "")

    def withdraw_stop(self) -> None:
        """Remove the marker, if it is there."""
        if self.stop_is_asked():
            self._hdfs.rm(STOP)

    def stop_is_asked(self) -> bool:
        """Whether the marker is there."""
        return bool(self._hdfs.exists(STOP))

    def report(self, state: State) -> None:
        """Write the state down."""
        self._write(STATE, json.dumps(asdict(state)))

    def state(self) -> State | None:
        """The state last reported."""
        if not self._hdfs.exists(STATE):
            return None
        values: dict[str, Any] = json.loads(self._read(STATE))
        return State(**{**values, "topics": tuple(values["topics"])})

    def new_checkpoint(self) -> str:
        """A fresh folder for a query; those of earlier queries are removed."""
        self._hdfs.makedirs(FOLDER, exist_ok=True)
        for entry in self._hdfs.ls(FOLDER, detail=True):
            if entry["type"] == "directory":
                self._hdfs.rm(entry["name"], recursive=True)
        return f"{FOLDER}/{uuid.uuid4().hex}"

    def planned_ends(self, checkpoint: str, batch: int) -> str:
        """The end offsets that a query planned for a batch, as its offset log has them.

        The log is a version, the query's metadata and one line a source.
        """
        lines = self._read(f"{checkpoint}/offsets/{batch}").splitlines()
        if len(lines) != OFFSET_LOG_LINES or lines[0] != "v1":
            raise ValueError(f"{checkpoint}/offsets/{batch} is no offset log of one source")
        return lines[2]

    def _read(self, path: str) -> str:
        with self._hdfs.open(path, "rb") as file:
            content: bytes = file.read()
        return content.decode()

    def _write(self, path: str, text: str) -> None:
        with self._hdfs.open(path, "wb") as file:
            file.write(text.encode())
