"""A process that has read with Arrow ends while the interpreter is whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
#: Loaded by Python before anything else; taking the interpreter apart deletes it.
WITNESS = """
import builtins, os

class Witness:
    def __del__(self, write=os.write):
        write(2, b"taken apart")

builtins.witness = Witness()
"""
MAIN = """
import atexit, sys, threading, time
from millrace import ending

def work():
    time.sleep(0.2)
    print("the thread's end")

def main():
    atexit.register(print, "the handler's end")
    threading.Thread(target=work).start()
    print("the work's end")
    {last}

ending.run(main)
"""


def end(tmp_path: Path, *command: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "sitecustomize.py").write_text(WITNESS)
    return subprocess.run(
        [sys.executable, *command],
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("last", "status", "said"),
    [
        ("pass", 0, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit(3)", 3, ""),
        ("raise KeyboardInterrupt", 130, "KeyboardInterrupt\n"),
        ("sys.stdin.close(); sys.stderr = None", 0, ""),
        ("sys.exit('error: a thing')", 1, "error: a thing\n"),
        ("raise ValueError('a defect')", 1, "ValueError: a defect\n"),
    ],
)
def test_everything_ends_but_the_interpreter(
    tmp_path: Path, last: str, status: int, said: str
) -> None:
    ended = end(tmp_path, "-c", MAIN.format(last=last))
    assert ended.returncode == status
    assert ended.stdout == "the work's end\nthe thread's end\nthe handler's end\n"
    assert ended.stderr.endswith(said)
    assert "taken apart" not in ended.stderr


def test_output_that_can_not_be_written_is_no_success(tmp_path: Path) -> None:
    full = "sys.stdout = open('/dev/full', 'w'); print(1)"
    ended = end(tmp_path, "-c", MAIN.format(last=full))
    assert ended.returncode == 120
    assert ended.stderr == (
        "error: the output can not be written: [Errno 28] No space left on device\n"
    )


@pytest.mark.parametrize(("argument", "status"), [("--version", 0), ("no-such-command", 2)])
def test_the_command_line_ends_so(tmp_path: Path, argument: str, status: int) -> None:
    ended = end(tmp_path, "-m", "millrace", argument)
    assert ended.returncode == status
    assert "taken apart" not in ended.stderr


def test_the_witness_speaks_elsewhere(tmp_path: Path) -> None:
    assert "taken apart" in end(tmp_path, "-c", "pass").stderr
