"""The command line tells a user's error with its remedy, and shows no traceback for it."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from millrace import cli, settings
from millrace.cli.cluster import up
from millrace.cluster.compose import read_compose
from millrace.errors import MillraceError

GOLDEN = Path(__file__).parents[2] / "golden" / "errors"


@pytest.fixture(autouse=True)
def _own_settings() -> Iterator[None]:
    settings.load.cache_clear()
    yield
    settings.load.cache_clear()


def refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> MillraceError:
    monkeypatch.setenv(name, value)
    with pytest.raises(MillraceError) as caught:
        settings.load()
    return caught.value


@pytest.mark.parametrize(
    ("name", "value", "golden"),
    [
        ("MILLRACE_TIER", "large", "settings_tier"),
        ("MILLRACE_PORT_OFFSET", "70000", "settings_port_offset"),
        ("MILLRACE_MAINTENANCE__LONGEST_JOB_HOURS", "100", "settings_orphan_hours"),
    ],
)
def test_a_setting_that_can_not_be_is_refused_in_these_words(
    name: str, value: str, golden: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = refused(name, value, monkeypatch)
    assert f"error: {error}\n" == (GOLDEN / f"{golden}.txt").read_text()


@pytest.mark.parametrize(
    ("name", "value"), [("MILLRACE_PORT_OFFSET", "x"), ("MILLRACE_KAFKA__PORT", "")]
)
def test_the_variable_is_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    error = refused(name, value, monkeypatch)
    assert (error.thing, error.remedy) == (name, f"unset {name}")


def test_scripts_that_need_the_settings_are_told_the_same(tmp_path: Path) -> None:
    (tmp_path / "lake").symlink_to(sys.prefix)
    done = subprocess.run(
        [settings.ROOT / "scripts" / "spark-submit", "--version"],
        env={
            "PATH": os.environ["PATH"],
            "MILLRACE_DIST": str(tmp_path),
            "MILLRACE_TIER": "large",
        },
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr == (GOLDEN / "settings_tier.txt").read_text()


def test_the_profiles_that_up_takes_are_those_of_the_compose_file() -> None:
    services = read_compose(settings.ROOT / "docker-compose.yml", {})["services"].values()
    known = {profile for service in services for profile in service.get("profiles", [])}
    (option,) = (each for each in up.params if each.name == "profiles")
    assert set(option.type.choices) == known  # type: ignore[attr-defined]


def test_a_variable_that_is_a_whole_component_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 'field "kafka"' in refused("MILLRACE_KAFKA", "x", monkeypatch).cause


@pytest.mark.parametrize(
    ("number", "file", "golden"),
    [
        (errno.ENOSPC, None, "command_disk_full"),
        (errno.EDQUOT, None, "command_disk_full"),
        (errno.EACCES, "/not mine", "command_permission"),
    ],
)
def test_what_the_system_refuses_is_told_in_these_words(
    number: int,
    file: str | None,
    golden: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(**_: object) -> None:
        raise OSError(number, os.strerror(number), file)

    monkeypatch.setattr(cli.cli, "main", fail)
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 1
    assert capsys.readouterr().err == (GOLDEN / f"{golden}.txt").read_text()


def test_a_defect_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise OSError(errno.EBADF, "mine")

    monkeypatch.setattr(cli.cli, "main", fail)
    with pytest.raises(OSError, match="mine"):
        cli.main()
