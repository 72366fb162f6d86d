"""The verifier shares no code with what it verifies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
#: What a proof of the writer may not stand on; `millrace.lake` imports its commits by itself.
WRITERS = ("millrace.landing", "millrace.lake", "millrace.quarantine", "millrace_producers")
WRITERS += ("spark_jobs", "pyspark", "fastavro")
MODULES = sorted((ROOT / "millrace" / "verify").glob("[a-z]*.py"))

#: Imports a module and prints what of the writers came with it.
LOADED = "import sys, importlib; importlib.import_module(sys.argv[1]); print(*sys.modules)"


def test_there_is_a_verifier() -> None:
    assert {"run", "delivery", "order", "content", "files"} <= {file.stem for file in MODULES}


@pytest.mark.parametrize("module", ["millrace.verify.run", "millrace.verify.spark_checksum"])
def test_no_module_of_the_verifier_loads_code_of_a_writer(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, module],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    loaded = done.stdout.split()
    assert module in loaded
    guilty = [name for name in loaded if name.startswith(WRITERS)]
    assert not guilty


def test_no_line_of_the_verifier_names_a_writer() -> None:
    lines = [
        f"{file.name}: {line}"
        for file in MODULES
        for line in file.read_text().splitlines()
        if line.lstrip().startswith(("import ", "from ")) and any(each in line for each in WRITERS)
    ]
    # Spark is one of the engines that are compared, in a process of its own.
    assert not [line for line in lines if not line.startswith("spark_checksum.py: ")]
