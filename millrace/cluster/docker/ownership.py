"""Whose a project is: one state folder's, from its first `up` until `destroy`.

A project's name is made from the name of a folder, and two clones have folders of one name. So `up`
claims the project by an empty volume that carries the path of its state folder. Making a volume
that is there changes nothing of it: the first claim wins. What `docker compose up` started by hand
carries no claim; there the containers tell which clone they are of.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path

from millrace.cluster.docker.containers import Container
from millrace.cluster.docker.engine import ask, call
from millrace.cluster.docker.project import Project
from millrace.errors import MillraceError

_LABEL = "dev.millrace.state"


class OwnerError(MillraceError):
    """The project is another cluster's."""


def claim(project: Project, found: Mapping[str, Container]) -> None:
    """Make the project this state folder's.

    Raises:
        OwnerError: it is another one's.
    """
    check(project, found)
    labels = {_LABEL: str(_state(project)), "com.docker.compose.project": project.name}
    options = [word for label in labels.items() for word in ("--label", "=".join(label))]
    ask("volume", "create", *options, volume_name(project.name))
    check(project, found)


def check(project: Project, found: Mapping[str, Container]) -> None:
    """Refuse to look at or to touch a project that is another cluster's.

    Raises:
        OwnerError: it is.
    """
    owner = claimed_by(project.name)
    if owner and Path(owner).resolve() != _state(project):
        gone = f"docker volume rm {volume_name(project.name)}"
        raise OwnerError(
            f"the project {project.name}",
            f"is the cluster of the state folder {owner}",
            f"export MILLRACE_HOME=$PWD/.millrace-2  # or, where that folder is gone: {gone}",
        )
    root = project.settings.root.resolve()
    for container in found.values() if not owner else ():
        other = container.working_folder
        if other and Path(other).resolve() != root:
            raise OwnerError(
                f"the project {project.name}",
                f"is the cluster of the clone in {other}",
                f"export MILLRACE_HOME=$PWD/.millrace-2  # or make -C {shlex.quote(other)} down",
            )


def check_deletable(project: Project, found: Mapping[str, Container]) -> None:
    """Refuse to delete volumes of which nothing says whose they are.

    Raises:
        OwnerError: they are another cluster's, or nobody's.
    """
    check(project, found)
    if not found and not claimed_by(project.name):
        raise OwnerError(
            f"the project {project.name}",
            "has volumes, and nothing says that they are of this state folder",
            f"docker compose --project-name {project.name} down --volumes  # deletes them",
        )


def claimed_by(project: str) -> str:
    """The state folder that a project belongs to; empty where it was not claimed."""
    done = call("volume", "inspect", volume_name(project))
    if done.returncode:
        return ""
    return str((json.loads(done.stdout)[0]["Labels"] or {}).get(_LABEL, ""))


def volume_name(project: str) -> str:
    """The volume that carries the claim."""
    return f"{project}_owner"


def _state(project: Project) -> Path:
    return project.settings.home.resolve()
