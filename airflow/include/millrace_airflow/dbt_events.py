"""From dbt's own event stream to the outcome of each model.

dbt prints one JSON object a line (`--log-format json`). A model is done when it and every test
that belongs to it have finished; which test belongs to which model is in the manifest that dbt
writes before it runs anything.
"""

from __future__ import annotations

import json
import logging
import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from millrace_airflow.outcomes import FAILED, SKIPPED, SUCCESS, Outcome
from millrace_airflow.process import log_line

log = logging.getLogger(__name__)

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LEVELS = {"info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
_BAD = frozenset({"error", "fail", "runtime error"})


def owner_of(node: dict[str, Any]) -> str | None:
    """The unique id of the model that a test belongs to.

    A generic test is attached to one; a unit test names it; a singular test belongs to the last
    model that it reads, as dbt runs it after that one.
    """
    models = [n for n in node.get("depends_on", {}).get("nodes", []) if n.startswith("model.")]
    attached = node.get("attached_node") or node.get("tested_node_unique_id")
    return attached or (models[-1] if models else None)


class EventReader:
    """Feed it dbt's lines: it logs the readable part and publishes each model's outcome once.

    Args:
        manifest: where dbt writes the manifest of this process.
        publish: called with a model's name and its outcome.
    """

    def __init__(self, manifest: Path, publish: Callable[[str, Outcome], None]) -> None:
        self._manifest = manifest
        self._publish = publish
        self._owners: dict[str, str] | None = None
        self._waiting: dict[str, set[str]] = defaultdict(set)
        self._bad: dict[str, Outcome] = {}
        self._built: dict[str, Outcome] = {}
        #: Failures that no model answers for, such as a failed test of a source.
        self.unowned: list[str] = []
        #: Nodes that have finished, well or not.
        self.finished = 0

    def line(self, line: str) -> str:
        """Take one line of dbt's output. Returns the part of it that is for people."""
        try:
            event = json.loads(line)
            info = event["info"]
            name, level, message = info["name"], info["level"], info["msg"]
        except (ValueError, KeyError, TypeError):
            return log_line(line)
        if name == "NodeFinished":
            self.finished += 1
            self._finished(event["data"], info["invocation_id"])
        if level not in _LEVELS or not message.strip():
            return ""
        readable = _COLOUR.sub("", message)
        log.log(_LEVELS[level], "%s", readable)
        return readable

    def close(self) -> None:
        """Publish the models of which a test was not part of this process."""
        for model in list(self._built):
            self._publish_model(model)

    def _finished(self, data: dict[str, Any], invocation: str) -> None:
        owners = self._load_owners()
        unique_id = data["node_info"]["unique_id"]
        status = data["node_info"]["node_status"]
        message = f"{unique_id}: {data.get('run_result', {}).get('message') or status}"
        is_model = unique_id.startswith("model.")
        model = unique_id if is_model else owners.get(unique_id)
        if model is None:
            self.unowned += [message] if status in _BAD else []
            return
        self._waiting[model].discard(unique_id)
        if status in _BAD:
            self._bad[model] = Outcome(FAILED, message, invocation)
        if is_model:
            ended = SKIPPED if status == "skipped" else SUCCESS
            self._built[model] = Outcome(ended, message, invocation)
        if model in self._built and not self._waiting[model]:
            self._publish_model(model)

    def _publish_model(self, model: str) -> None:
        built = self._built.pop(model)
        self._publish(model.rpartition(".")[2], self._bad.get(model, built))

    def _load_owners(self) -> dict[str, str]:
        """Test to model, and from it the tests that each model waits for."""
        if self._owners is None:
            manifest = json.loads(self._manifest.read_text())
            nodes = {**manifest["nodes"], **manifest.get("unit_tests", {})}
            tests = {
                unique_id: owner_of(node)
                for unique_id, node in nodes.items()
                if node["resource_type"] in ("test", "unit_test")
            }
            self._owners = {test: owner for test, owner in tests.items() if owner}
            for test, owner in self._owners.items():
                self._waiting[owner].add(test)
        return self._owners
