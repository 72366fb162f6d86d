"""What is about to be started, and what is there: the subject of every check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from millrace.cluster.docker.containers import Container
from millrace.cluster.docker.engine import Engine
from millrace.cluster.docker.project import Project


@dataclass(frozen=True)
class Plan:
    """What is about to be started, and what is there."""

    project: Project
    engine: Engine
    config: Mapping[str, Any]
    found: Mapping[str, Container]
    profiles: tuple[str, ...] = ()

    @property
    def is_running(self) -> bool:
        """Whether any part of the cluster runs already."""
        return any(each.is_running for each in self.found.values())
