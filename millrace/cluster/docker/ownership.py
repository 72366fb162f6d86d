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

from millrace.cluster.choice import DOCKER, recorded
from millrace.cluster.docker.containers import Container
from millrace.cluster.docker.engine import ask, call, explain
from millrace.cluster.docker.project import Project
from millrace.cluster.docker.volumes import remove, volumes
from millrace.errors import MillraceError

_LABEL = "dev.millrace.state"
_BY_NAME = "docker compose --project-name"


class OwnerError(MillraceError):
    """The project is another cluster's."""


def claim(project: Project, found: Mapping[str, Container]) -> None:
    """Make the project this state folder's.

    Raises:
        OwnerError: it is another one's.
    """
    there = found or volumes(project.name)
    if not there and claimed_by(project.name):
        remove(volume_name(project.name))
    check(project, found)
    is_known = recorded(project.settings.home) == DOCKER or claimed_by(project.name)
    if there and not found and not is_known:
        raise OwnerError(
            f"the project {project.name}",
            "has volumes, and nothing says that they are of this state folder",
            f"{_mine(project)}  # or set MILLRACE_HOME for a cluster of your own",
        )
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
    is_other = owner and Path(owner).resolve() != _state(project)
    if is_other and not found and not volumes(project.name):
        # Nothing is left of the cluster that the claim stands for.
        return
    if is_other:
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
                f"export MILLRACE_HOME=$PWD/.millrace-2  # or {_BY_NAME} {project.name} down",
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
            f"{_BY_NAME} {project.name} down --volumes  # deletes them; or {_mine(project)}",
        )


def claimed_by(project: str) -> str:
    """The state folder that a project belongs to; empty where it was not claimed."""
    done = call("volume", "inspect", volume_name(project))
    said = done.stderr.decode(errors="replace")
    if done.returncode and "no such volume" in said.lower():
        return ""
    if done.returncode:
        raise explain(said, "volume inspect")
    return str((json.loads(done.stdout)[0]["Labels"] or {}).get(_LABEL, ""))


def _mine(project: Project) -> str:
    """The command that claims a project by hand."""
    label = shlex.quote(f"{_LABEL}={_state(project)}")
    return f"docker volume create --label {label} {volume_name(project.name)}"


def volume_name(project: str) -> str:
    """The volume that carries the claim."""
    return f"{project}_owner"


def _state(project: Project) -> Path:
    return project.settings.home.resolve()
