"""What a build stage is given as secrets: an engine passes one that is not set as an empty file."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "docker" / "install-units"
#: In the place of Python: what the clients of the registries would read. It fails, and so ends all.
SAYS = '#!/bin/sh\ncat "$HOME/.m2/settings.xml" 2>/dev/null; echo "<$PIP_CONFIG_FILE>"; exit 3\n'


@pytest.mark.parametrize("text", [None, "", "<settings/>\n"], ids=["unset", "empty", "given"])
def test_a_secret_reaches_its_client_when_it_says_something(
    tmp_path: Path, text: str | None
) -> None:
    secrets, tools = tmp_path / "secrets", tmp_path / "tools"
    secrets.mkdir()
    tools.mkdir()
    (tools / "python3").write_text(SAYS)
    (tools / "python3").chmod(0o755)
    if text is not None:
        (secrets / "maven_settings").write_text(text)
        (secrets / "pip_conf").write_text(text)
    own = {"HOME": str(tmp_path), "PATH": f"{tools}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", str(SCRIPT), "kafka"],
        env={**own, "MILLRACE_BUILD_SECRETS": str(secrets)},
        check=False,
        capture_output=True,
        text=True,
    )
    said = f"{text}<{secrets}/pip_conf>\n" if text else "<>\n"
    assert (done.returncode, done.stdout, done.stderr) == (3, said, "")
