"""dbt and sqlfluff accept the project as it stands; neither needs a cluster for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PROJECT = ROOT / "dbt_project"
TOOLS = Path(sys.executable).parent


def test_dbt_parses_the_project_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [TOOLS / "dbt", "--warn-error", "parse", "--no-partial-parse"],
        env={
            **{key: value for key, value in os.environ.items() if not key.startswith("DBT_")},
            "DBT_PROJECT_DIR": str(PROJECT),
            "DBT_PROFILES_DIR": str(PROJECT),
            "DBT_TARGET_PATH": str(tmp_path / "target"),
            "DBT_LOG_PATH": str(tmp_path / "logs"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    nodes = json.loads((tmp_path / "target" / "manifest.json").read_text())["nodes"].values()
    models = [node for node in nodes if node["resource_type"] == "model"]
    assert {node["schema"] for node in models} == {"staging", "intermediate", "marts", "analytics"}
    assert {node["database"] for node in models} == {"iceberg"}


def test_sqlfluff_finds_nothing() -> None:
    done = subprocess.run(
        [TOOLS / "sqlfluff", "lint", "--nocolor", "."],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
