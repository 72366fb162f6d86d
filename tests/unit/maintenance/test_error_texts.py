"""What maintenance says when it refuses or fails, word by word."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from pyiceberg.exceptions import CommitFailedException

from millrace.cli.maintain import maintain
from millrace.errors import MillraceError
from millrace.maintenance import errors
from millrace.maintenance.trino import TrinoEngine
from millrace.services import Trino
from millrace.settings import Settings

GOLDEN = Path(__file__).parents[2] / "golden" / "errors"
TABLE = "raw.orders"

SAID: dict[str, MillraceError] = {
    "maintain_unknown_table": errors.UnknownTableError("raw.gone", ["raw.orders", "raw.payments"]),
    "maintain_conflict": errors.ConflictError(TABLE, "expire", "the branch main has moved"),
    "maintain_store": errors.StoreError(TABLE, "orphans", FileNotFoundError(2, "No such file")),
    "maintain_names_differ": errors.NamesDifferError(
        TABLE, "hdfs://localhost:8020/data/raw/orders", "hdfs://127.0.0.1:8020/data/raw/orders/a"
    ),
}


def expect_words(golden: str, error: MillraceError) -> None:
    assert f"error: {error}\n" == (GOLDEN / f"{golden}.txt").read_text()


@pytest.mark.parametrize("golden", SAID)
def test_a_refusal_is_said_in_these_words(golden: str) -> None:
    expect_words(golden, SAID[golden])


def test_a_store_that_says_more_in_a_field_is_quoted_by_it() -> None:
    error = errors.StoreError(TABLE, "compact", CommitFailedException("two\nlines"))
    assert error.cause == "CommitFailedException: two lines"


@pytest.mark.parametrize("steps", ["", ",", "compact,vacuum"])
def test_steps_that_there_are_not_never_run_all_of_them(steps: str) -> None:
    assert CliRunner().invoke(maintain, ["--only", steps]).exit_code == 2


def test_a_trino_that_is_away_is_said_in_these_words() -> None:
    engine = TrinoEngine(Settings(trino=Trino(port=1)), print)
    with pytest.raises(MillraceError) as refused:
        engine.execute("select 1")
    expect_words("maintain_without_trino", refused.value)
