"""Ask the verifier of a damaged copy."""

from __future__ import annotations

import pyarrow as pa

from millrace.sabotage.damages import Mark
from millrace.sabotage.run import catching, inspect
from millrace.sabotage.scene import Position, Scene, at, with_cell
from millrace.settings import Settings
from millrace.verify.judging import Sources
from millrace.verify.report import Finding


def said(findings: list[Finding]) -> str:
    return "\n".join(f"{each.law} {each.text} {each.positions}" for each in findings)


def caught(scene: Scene, sources: Sources, *marks: Mark) -> None:
    """Assert that the verifier reports each of the marks."""
    found = inspect(scene, Settings(), sources)
    for mark in marks:
        assert catching(mark, found), f"{mark}\n{said(found)}"


def edit_quarantine(scene: Scene, position: Position, name: str, value: object) -> None:
    """Write another value into a row of quarantine."""

    def write(rows: pa.Table) -> pa.Table:
        index = at(rows, {position}).to_pylist().index(True)
        return with_cell(rows, index, name, value)

    scene.quarantine.edit({scene.quarantined[position]: write})


def name_of(path: str) -> str:
    return path.rpartition("/")[2]
