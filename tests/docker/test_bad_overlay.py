"""What is said of an overlay that lacks what only its user has: a licence, a key."""

from __future__ import annotations

import pytest

from millrace.cluster.docker import preflight
from millrace.cluster.docker.build import build
from millrace.cluster.docker.engine import find_engine
from millrace.cluster.docker.plan import Plan
from millrace.cluster.docker.project import Project
from millrace.errors import MillraceError
from millrace.settings import Settings
from tests.docker.golden import expect
from tests.docker.small import Clone


@pytest.fixture
def starburst(monkeypatch: pytest.MonkeyPatch, clone: Clone) -> Project:
    monkeypatch.setenv("MILLRACE_STARBURST__IMAGE", "starburst-enterprise:1")
    return Project(Settings(home=clone.home), ("starburst",))


def test_starburst_without_its_licence(starburst: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MILLRACE_STARBURST__LICENSE", raising=False)
    with pytest.raises(MillraceError) as caught:
        starburst.config()
    expect("no_licence", caught.value)
    # What `make up` does first.
    with pytest.raises(MillraceError) as caught:
        build(starburst.settings, starburst.overlays)
    expect("no_licence", caught.value)


@pytest.mark.parametrize("folder", ["/nowhere", "nowhere"])
def test_starburst_with_a_licence_that_is_not_there(
    starburst: Project, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    licence = f"{folder}/starburstdata.license"
    monkeypatch.setenv("MILLRACE_STARBURST__LICENSE", licence)
    found = preflight.check_files(Plan(starburst, find_engine(), starburst.config(), {}))
    problem = next(each for each in found if each.thing == str(starburst.settings.root / licence))
    expect("no_licence_file", problem, folder=starburst.settings.root / folder)


def test_impala_without_the_file_of_its_key(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    file = clone.home / "credentials"
    monkeypatch.setenv("MILLRACE_IMPALA__CREDENTIALS", str(file))
    impala = Project(Settings(home=clone.home), ("impala",))
    plan = Plan(impala, find_engine(), impala.config(), {})
    found = preflight.check_files(plan)
    expect("no_key_file", next(each for each in found if each.thing == str(file)), file=file)
    # Only Impala has to read it; nobody is told to open it to all.
    file.write_text("[default]\n")
    file.chmod(0o600)
    assert not [each for each in preflight.check_files(plan) if str(file) in str(each)]
