"""A project is one state folder's: no other cluster adopts, stops or deletes it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from millrace.cluster.docker.engine import ask
from millrace.cluster.docker.ownership import volume_name
from millrace.cluster.docker.runtime import DockerRuntime
from millrace.cluster.docker.volumes import volumes
from millrace.errors import MillraceError
from millrace.settings import ROOT
from tests.docker.small import NAME, Clone, silent

TIMEOUT = 60.0
GOLDEN = ROOT / "tests" / "golden" / "errors"


@pytest.fixture
def other(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "other", NAME)


def runtime(clone: Clone) -> DockerRuntime:
    return DockerRuntime(clone.settings())


def refuse_everything(first: Clone, second: Clone) -> None:
    """The second state folder can do nothing to the first one's project."""
    kept = set(volumes(runtime(first).project.name))
    for command in (
        lambda: runtime(second).up((), TIMEOUT, silent),
        lambda: runtime(second).down(),
        lambda: runtime(second).destroy(),
        lambda: runtime(second).status(),
        lambda: runtime(second).logs("trino", follow=False, lines=1),
        lambda: runtime(second).collect(),
    ):
        with pytest.raises(MillraceError, match=f"of the state folder {first.home}"):
            command()
    assert runtime(second).is_running() is False
    assert set(volumes(runtime(first).project.name)) == kept != set()


def test_a_second_clone_can_do_nothing_to_the_first_ones_cluster(
    clone: Clone, other: Clone
) -> None:
    runtime(clone).up((), TIMEOUT, silent)
    refuse_everything(clone, other)
    # Where only the volumes are left, too.
    runtime(clone).down()
    refuse_everything(clone, other)
    with pytest.raises(MillraceError) as caught:
        runtime(other).destroy()
    said = f"error: {caught.value}\n".replace(str(clone.home), "<owner>")
    said = said.replace(runtime(clone).project.name, "<project>")
    assert said == (GOLDEN / "docker_other_owner.txt").read_text()

    runtime(clone).up((), TIMEOUT, silent)
    runtime(clone).destroy()
    assert runtime(other).up((), TIMEOUT, silent)
    runtime(other).destroy()


def test_two_state_folders_of_one_name_in_one_clone_do_not_meet(
    clone: Clone, tmp_path: Path
) -> None:
    runtime(clone).up((), TIMEOUT, silent)
    second = Clone(tmp_path / "second", clone.home.name.removeprefix(".millrace-"))
    second.root = clone.root
    refuse_everything(clone, second)


def test_a_destroy_that_was_killed_half_way_is_gone_on_with(clone: Clone) -> None:
    runtime(clone).up((), TIMEOUT, silent)
    project = runtime(clone).project.name
    runtime(clone).down()
    ask("volume", "rm", volumes(project)["secrets"]["Name"])
    runtime(clone).destroy()
    assert not volumes(project)
    assert volume_name(project) not in ask("volume", "ls", "--quiet").split()


def test_volumes_of_which_nothing_says_whose_they_are_stay(clone: Clone, other: Clone) -> None:
    """`docker compose up` and `down` by hand, in another clone."""
    project = runtime(other).project
    for words in (("up", "--detach", "--wait", "trino"), ("down",)):
        command = project.command(*words)
        subprocess.run(command, env=project.environment(), check=True, capture_output=True)
    with pytest.raises(MillraceError, match="nothing says that they are of this state folder"):
        runtime(clone).destroy()
    with pytest.raises(MillraceError, match="nothing says") as caught:
        runtime(clone).up((), TIMEOUT, silent)
    assert volumes(project.name)
    # The remedy claims them.
    subprocess.run(["sh", "-c", caught.value.remedy], check=True, capture_output=True)
    assert runtime(clone).up((), TIMEOUT, silent)


def test_a_claim_of_which_nothing_is_left_is_dropped(clone: Clone, other: Clone) -> None:
    runtime(clone).up((), TIMEOUT, silent)
    project = runtime(clone).project.name
    runtime(clone).down()
    ask("volume", "rm", *(each["Name"] for each in volumes(project).values()))
    assert runtime(other).up((), TIMEOUT, silent)
    runtime(other).destroy()
