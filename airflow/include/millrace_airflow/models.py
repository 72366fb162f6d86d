"""The dbt models and what each reads, from the project's own files.

Airflow parses a DAG file again and again, so this must cost milliseconds: no dbt, and no manifest
that may be missing or old. A model is a file, and its edges are the `ref('…')` in it; a unit test
compares the result with the manifest that dbt itself writes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_REF = re.compile(r"""\bref\(\s*['"](\w+)['"]\s*\)""")


@dataclass(frozen=True)
class Model:
    """One dbt model: its layer is the first folder below `models/`."""

    name: str
    layer: str
    reads: frozenset[str]


def read_models(project: Path) -> dict[str, Model]:
    """Every model of a dbt project by name; empty where there is no project."""
    folder = project / "models"
    models = {}
    for file in sorted(folder.rglob("*.sql")):
        layer = file.relative_to(folder).parts[0]
        reads = frozenset(_REF.findall(file.read_text()))
        models[file.stem] = Model(file.stem, layer, reads - {file.stem})
    return {
        name: Model(name, model.layer, model.reads & models.keys())
        for name, model in models.items()
    }
