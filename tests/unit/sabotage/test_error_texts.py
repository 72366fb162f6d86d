"""What `millrace sabotage` says when it can not go on, or when the verifier missed something."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from millrace.cli.sabotage import sabotage
from millrace.errors import MillraceError
from millrace.sabotage.grounds import BusyError
from millrace.sabotage.run import MissedError, UndamagedError
from millrace.sabotage.scene import NothingToDamageError
from millrace.settings import load
from millrace.verify.report import Finding

GOLDEN = Path(__file__).parents[2] / "golden" / "errors"
LOST = Finding("L1", "orders", "2 records were acknowledged and are nowhere", "make status")

SAID: dict[str, MillraceError] = {
    "sabotage_missed": MissedError("orders", ["delete", "swap"], 7),
    "sabotage_undamaged": UndamagedError("orders", [LOST]),
    "sabotage_nothing_to_damage": NothingToDamageError("orders", "open row in quarantine"),
    "sabotage_busy": BusyError(Path("/srv/millrace/sabotage/lock")),
}


def expect_words(golden: str, error: BaseException | None) -> None:
    assert f"error: {error}\n" == (GOLDEN / f"{golden}.txt").read_text()


@pytest.mark.parametrize("golden", SAID)
def test_a_refusal_is_said_in_these_words(golden: str) -> None:
    expect_words(golden, SAID[golden])


def test_a_damage_that_there_is_not_is_said_in_these_words() -> None:
    done = CliRunner().invoke(sabotage, ["--only", "delete,arson"])
    expect_words("sabotage_unknown_damage", done.exception)


def test_without_a_record_it_is_said_in_these_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILLRACE_HOME", str(tmp_path))
    load.cache_clear()
    try:
        done = CliRunner().invoke(sabotage)
    finally:
        load.cache_clear()
    expect_words("sabotage_nothing_sent", done.exception)
