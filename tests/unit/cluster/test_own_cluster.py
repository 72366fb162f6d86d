"""A command on a cluster of its own: what runs before and after it, and what is left behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from millrace.cli import beds
from millrace.cli.beds import CHAOS, run_on_own_cluster
from millrace.settings import Settings


class Bench:
    """Settings with a distribution of one Python, and what was asked of the command line.

    Attributes:
        asked: subcommands, in their order.
        refused: one that fails, with the exit code 7.
    """

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(root=folder, home=folder / "home", contracts=folder / "contracts")
        self.asked: list[str] = []
        self.refused = ""
        (folder / "contracts").mkdir()
        python = self.settings.dist / "lake" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.symlink_to(sys.executable)

    def answer(self, _: Settings, __: object, *arguments: str) -> None:
        self.asked.append(arguments[0])
        (CHAOS.home(self.settings) / "cluster").mkdir(exist_ok=True)
        if arguments[0] == self.refused:
            raise subprocess.CalledProcessError(7, arguments)

    def run(self, program: str, *, keep: bool = False) -> int:
        return run_on_own_cluster(self.settings, CHAOS, ["-c", program], keep=keep)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench = Bench(tmp_path)
    monkeypatch.setattr(beds, "run_millrace", bench.answer)
    return bench


def test_after_success_the_cluster_is_removed(bench: Bench) -> None:
    assert bench.run("") == 0
    assert bench.asked == ["up", "destroy"]
    assert not CHAOS.home(bench.settings).exists()


def test_after_a_failure_it_is_stopped_and_its_logs_stay(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench.run("raise SystemExit(3)") == 3
    assert bench.asked == ["up", "down"]
    home = CHAOS.home(bench.settings)
    assert home.exists()
    assert capsys.readouterr().out == f"the logs stay in {home}/logs\n"


def test_what_an_earlier_run_left_is_removed_first(bench: Bench) -> None:
    bench.run("raise SystemExit(3)")
    bench.asked.clear()
    bench.run("")
    assert bench.asked == ["destroy", "up", "destroy"]


def test_a_kept_cluster_is_neither_removed_nor_stopped(bench: Bench) -> None:
    assert bench.run("raise SystemExit(3)", keep=True) == 3
    assert bench.asked == ["up"]


def test_a_start_that_failed_is_the_exit_code(bench: Bench) -> None:
    bench.refused = "up"
    assert bench.run("raise SystemExit(3)") == 7
    assert bench.asked == ["up"]


def test_a_run_that_was_interrupted_leaves_no_cluster_running(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "run", interrupt)
    with pytest.raises(KeyboardInterrupt):
        bench.run("")
    assert bench.asked == ["up", "down"]


def test_the_command_sees_the_cluster_of_the_bed_alone(bench: Bench) -> None:
    home = CHAOS.home(bench.settings)
    assert bench.run(f"import os; assert os.environ['MILLRACE_HOME'] == {str(home)!r}") == 0
