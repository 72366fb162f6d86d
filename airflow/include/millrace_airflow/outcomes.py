"""What became of each dbt model in a run of the pipeline: one small file a model.

One dbt process builds all models; each model's task waits for its own file here. The producer
writes, the triggers of the models read, on the machine they share. Files are replaced whole, so
a reader sees the old or the new outcome and never half of one.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from millrace_airflow import addresses

SUCCESS = "success"
FAILED = "failed"
SKIPPED = "skipped"

#: Runs whose outcomes are kept, so that a task of an older run can still be cleared.
KEPT_RUNS = 30


@dataclass(frozen=True)
class Outcome:
    """The end of one model in one dbt process; its tests are part of it."""

    status: str
    message: str
    #: Which dbt process said so: one id for all that it built.
    invocation: str


class Outcomes:
    """The outcomes of one DAG run."""

    def __init__(self, dag_id: str, run_id: str) -> None:
        self.runs = addresses.home() / "dbt" / "runs" / dag_id
        self.folder = self.runs / re.sub(r"[^\w.+-]", "_", run_id)

    def read(self, model: str) -> Outcome | None:
        """The latest outcome of a model, or None where there is none yet."""
        return _read(self.folder / f"{model}.json")

    def write(self, model: str, outcome: Outcome) -> None:
        """Publish an outcome."""
        _replace(self.folder / f"{model}.json", outcome)

    def taken(self, model: str) -> Outcome | None:
        """The outcome that a try of the model's task has already ended with."""
        return _read(self.folder / f"{model}.taken.json")

    def take(self, model: str, outcome: Outcome) -> None:
        """Note that a try of the model's task ends with this outcome."""
        _replace(self.folder / f"{model}.taken.json", outcome)

    def succeeded(self) -> list[str]:
        """The models that are done, by name."""
        files = sorted(self.folder.glob("*.json")) if self.folder.exists() else []
        models = [file.stem for file in files if not file.stem.endswith(".taken")]
        return [model for model in models if _is_success(self.read(model))]

    def forget(self) -> None:
        """Begin this run anew, and drop the oldest runs."""
        for file in self.folder.glob("*.json") if self.folder.exists() else ():
            if not file.stem.endswith(".taken"):
                file.unlink()
        runs = sorted(self.runs.iterdir(), key=os.path.getmtime) if self.runs.exists() else []
        for folder in runs[:-KEPT_RUNS]:
            shutil.rmtree(folder, ignore_errors=True)


def _is_success(outcome: Outcome | None) -> bool:
    return outcome is not None and outcome.status == SUCCESS


def _read(file: Path) -> Outcome | None:
    try:
        return Outcome(**json.loads(file.read_text()))
    except FileNotFoundError:
        return None


def _replace(file: Path, outcome: Outcome) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(f".{os.getpid()}.tmp")
    fresh.write_text(json.dumps(asdict(outcome)))
    fresh.replace(file)
