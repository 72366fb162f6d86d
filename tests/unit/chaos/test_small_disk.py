"""A full disk under the ledger: nothing is sent that the ledger does not hold."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from millrace.chaos.faults import small_disk

ROOT = Path(__file__).resolve().parents[3]
#: Writes intents, a hundred at a time, until the ledger refuses; prints how many it may send.
WRITER = """
import sys
from pathlib import Path
from millrace_producers.ledger import Intent, Ledger, LedgerError
ledger, allowed = Ledger(Path(sys.argv[1])), 0
try:
    while True:
        allowed = ledger.intend([Intent("d", "t", "0" * 64)] * 100).stop
except LedgerError as error:
    print(allowed, error)
    sys.exit(3)
"""


@pytest.mark.parametrize("namespaces", [True, False])
def test_the_ledger_of_a_full_disk_holds_every_record_that_was_sent(
    tmp_path: Path, namespaces: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, copies = tmp_path / "ledger", tmp_path / "copies"
    folder.mkdir()
    copies.mkdir()
    if not namespaces:
        monkeypatch.setattr(small_disk, "has_namespaces", lambda: False)
    command = [sys.executable, "-c", WRITER, str(folder)]
    done = subprocess.run(
        small_disk.on_small_disk(command, folder, copies, kibibytes=64),
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'kafka' / 'producers'}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    allowed, _, said = done.stdout.partition(" ")
    assert "nothing was sent that it does not hold" in said
    (file,) = (*copies.iterdir(), *folder.iterdir())
    written = [line for line in file.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    assert len(written) >= int(allowed) > 0
    assert [json.loads(line)["i"] for line in written] == list(range(len(written)))
