"""What the tests of the cluster share: whatever engine this machine has, they mean native ones."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _native(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME", "native")
