"""The end of a log becomes a cause and a remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from millrace.cluster.causes import KNOWN, likely_cause, tail


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        ("java.net.BindException: Address already in use", "held by another process"),
        ("FATAL: could not write file: No space left on device", "disk is full"),
        ("There is insufficient memory for the Java Runtime", "no memory left"),
        ("java.lang.OutOfMemoryError: Java heap space", "heap is too small"),
        ("Unrecognized VM option 'UseZGC'", "wrong version"),
        ("exec: /x/java17/bin/java: No such file or directory", "missing"),
        ('FATAL: password authentication failed for user "metastore"', "password"),
        ("Incompatible clusterIDs in /x/data/datanode", "another cluster"),
        ("mkdir: cannot create directory '/x': Permission denied", "may not read or write"),
        ("PANIC: could not locate a valid checkpoint record", "damaged"),
        ("java.net.ConnectException: Connection refused", "does not reach"),
    ],
)
def test_a_known_line_is_explained(line: str, meaning: str) -> None:
    cause = likely_cause(["INFO starting", line, "INFO stopping"])
    assert cause
    assert meaning in cause.meaning
    assert cause.remedy


@pytest.mark.parametrize(
    "line",
    [
        "java.lang.OutOfMemoryError: unable to create native thread",
        "os::commit_memory(...) failed; error='Cannot allocate memory'",
    ],
)
def test_larger_sizes_are_no_remedy_for_a_machine_without_memory(line: str) -> None:
    cause = likely_cause([line])
    assert cause
    assert "MILLRACE_TIER" not in cause.remedy


def test_each_known_cause_has_a_case_above() -> None:
    (mark,) = test_a_known_line_is_explained.pytestmark  # type: ignore[attr-defined]
    assert len(mark.args[1]) == len(KNOWN)


def test_an_unknown_line_is_not_explained() -> None:
    assert likely_cause(["INFO all is well"]) is None


def test_the_tail_of_a_log_skips_empty_lines(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("a\n\nb\nc\n\n")
    assert tail(log, 2) == ["b", "c"]
    assert tail(tmp_path / "none.log", 2) == []
