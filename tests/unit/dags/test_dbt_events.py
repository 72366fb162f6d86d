"""dbt's event stream becomes the outcome of each model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from millrace_airflow.dbt_events import EventReader
from millrace_airflow.outcomes import FAILED, SKIPPED, SUCCESS, Outcome


def read(manifest: Path, *lines: str) -> tuple[dict[str, Outcome], EventReader]:
    """What is published for these lines, before the end of the process."""
    published: dict[str, Outcome] = {}
    reader = EventReader(manifest, published.__setitem__)
    for line in lines:
        reader.line(line)
    return published, reader


def test_a_model_is_done_when_its_last_test_is(manifest: Path, finished: Any) -> None:
    published, reader = read(manifest, finished("model.p.a", "success"))
    assert published == {}
    reader.line(finished("test.p.unique_a", "pass"))
    assert published["a"].status == SUCCESS


def test_a_failed_test_is_its_models_failure_and_says_why(manifest: Path, finished: Any) -> None:
    lines = finished("model.p.a", "success"), finished("test.p.unique_a", "fail", "Got 3 results")
    published, _ = read(manifest, *lines)
    assert published["a"] == Outcome(FAILED, "test.p.unique_a: Got 3 results", "one")


def test_a_failed_unit_test_fails_the_model_that_it_skips(manifest: Path, finished: Any) -> None:
    lines = [finished("unit_test.p.b.rows", "fail", "actual differs from expected")]
    lines += [finished("model.p.b", "skipped"), finished("test.p.both", "skipped")]
    published, _ = read(manifest, *lines)
    assert published["b"].status == FAILED


def test_a_model_is_skipped_where_one_that_it_reads_has_failed(
    manifest: Path, finished: Any
) -> None:
    lines = [finished("model.p.a", "error", "boom"), finished("test.p.unique_a", "skipped")]
    lines += [finished("unit_test.p.b.rows", "pass"), finished("model.p.b", "skipped")]
    published, _ = read(manifest, *lines, finished("test.p.both", "skipped"))
    assert (published["a"].status, published["b"].status) == (FAILED, SKIPPED)


def test_a_test_outside_the_selection_keeps_no_model_waiting(manifest: Path, finished: Any) -> None:
    published, reader = read(manifest, finished("model.p.a", "success"))
    reader.close()
    assert published["a"].status == SUCCESS


def test_a_failed_test_of_a_source_is_nobodys_and_is_kept(manifest: Path, finished: Any) -> None:
    _, reader = read(manifest, finished("test.p.source_test", "fail", "Got 1 result"))
    assert reader.unowned == ["test.p.source_test: Got 1 result"]


def test_lines_that_are_not_events_are_logged_and_harm_nothing(
    manifest: Path, finished: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        published, _ = read(manifest, "error: Trino: no answer", "[1]", '{"info": 3}')
    assert published == {}
    assert "error: Trino: no answer" in caplog.text
