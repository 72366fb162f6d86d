"""What the quality gate refuses, and how it says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from millrace.errors import BadDataError

#: More would hide the first one.
SHOWN = 10


@dataclass(frozen=True)
class Violation:
    """An expectation that does not hold.

    Attributes:
        table: `processed.orders`.
        expectation: what was expected, in words: `status is one of placed, paid`.
        rows: how many rows break it.
        samples: the keys of some of them: `order_id=O0000001`.
    """

    table: str
    expectation: str
    rows: int
    samples: tuple[str, ...] = ()

    def __str__(self) -> str:
        """One line."""
        keys = f", as {'; '.join(self.samples)}" if self.samples else ""
        return f"{self.table}: {self.expectation}: {self.rows} rows do not{keys}"


class QualityError(BadDataError):
    """The processed tables are not as the contracts say; the marts are not built from them."""

    def __init__(self, violations: Sequence[Violation], docs: Path) -> None:
        tables = sorted({violation.table for violation in violations})
        lines = [str(violation) for violation in violations[:SHOWN]]
        if len(violations) > SHOWN:
            lines.append(f"and {len(violations) - SHOWN} more")
        super().__init__(
            tables[0] if len(tables) == 1 else f"{len(tables)} processed tables",
            f"{len(violations)} expectations do not hold\n  - " + "\n  - ".join(lines),
            f"read {docs}, send the records again as they should be, "
            "and run scripts/spark-submit spark_jobs/batch/build_processed.py",
        )
        self.violations = tuple(violations)
