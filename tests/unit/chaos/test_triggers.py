"""Waiting for what is observed: it comes, it does not, its service is away."""

from __future__ import annotations

import threading

import pytest

from millrace.chaos.triggers import NotSeenError, until


def test_what_is_seen_is_given() -> None:
    seen: list[str] = []
    threading.Timer(0.05, lambda: seen.append("offset 7")).start()
    assert until("an offset", lambda: seen and seen[0], 10.0, poll_s=0.01) == "offset 7"


def test_an_error_of_a_look_is_nothing_seen() -> None:
    looks = iter([ConnectionError("refused"), ConnectionError("refused"), None])

    def look() -> bool:
        if error := next(looks):
            raise error
        return True

    assert until("the broker", look, 10.0, poll_s=0.001)


def test_what_does_not_come_is_named_with_the_last_error() -> None:
    def look() -> bool:
        raise ConnectionError("connection\nrefused")

    with pytest.raises(NotSeenError) as error:
        until("the pointer moved", look, 0.05, poll_s=0.01)
    assert error.value.thing == "the pointer moved"
    assert "last error: connection refused" in error.value.cause
