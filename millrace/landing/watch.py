"""What the landing application waits for: changed contracts, and failures to pass."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Mapping
from pathlib import Path

from pyiceberg.catalog import Catalog

from millrace.contracts import Contract, load_contracts
from millrace.errors import MillraceError
from millrace.landing.applied import ContractsChangedError, require_applied

log = logging.getLogger(__name__)

CHECK_EVERY_S = 3.0
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 15.0


class ContractsWatch:
    """Which contracts to land: those of the folder, as soon as their tables are as they say."""

    def __init__(self, folder: Path, catalog: Catalog) -> None:
        self._folder = folder
        self._catalog = catalog
        self._running: Mapping[str, Contract] = {}
        self._seen = ""
        self._said = ""
        self._checked_at = 0.0

    def load(self) -> Mapping[str, Contract]:
        """The contracts to land from now on.

        Where those of the folder are malformed or not applied, the ones landed last: a file that
        somebody is editing stops no stream.

        Raises:
            MillraceError: the same, where none were landed yet.
        """
        content = self._content()
        try:
            contracts = load_contracts(self._folder)
            require_applied(self._catalog, contracts.values())
        except MillraceError as error:
            if not self._running:
                raise
            self._say(str(error))
            return self._running
        self._running, self._seen = contracts, content
        return contracts

    def changed(self) -> bool:
        """Whether the folder holds other contracts, and their tables are there.

        Until they are applied, and while one is malformed, landing goes on with the old ones.
        """
        if time.monotonic() - self._checked_at < CHECK_EVERY_S:
            return False
        self._checked_at = time.monotonic()
        try:
            return self._others_are_applied()
        except Exception as error:  # the metastore does not answer: ask again
            self._say(repr(error))
            return False

    def require_current(self) -> None:
        """Refuse to land by contracts that others have replaced.

        A contract is applied to its table before its schema is registered. So where this passes
        at the beginning of a batch, no record of it has a field that its table would have had.

        Raises:
            ContractsChangedError: others are applied.
        """
        if self._others_are_applied():
            raise ContractsChangedError

    def _others_are_applied(self) -> bool:
        content = self._content()
        if content == self._seen:
            return False
        try:
            contracts = load_contracts(self._folder)
            others = [each for name, each in contracts.items() if each != self._running.get(name)]
            require_applied(self._catalog, others)
        except MillraceError as error:
            self._say(str(error))
            return False
        if contracts == self._running:
            self._seen = content
            return False
        return True

    def _content(self) -> str:
        digest = hashlib.sha256()
        for path in sorted(self._folder.glob("*.yaml")):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
        return digest.hexdigest()

    def _say(self, reason: str) -> None:
        if reason != self._said:
            log.warning("changed contracts are not landed yet: %s", reason)
            self._said = reason


class Patience:
    """How long failures are waited for: since the last success, with growing pauses."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._pause_s = FIRST_PAUSE_S
        self._failing_since: float | None = None

    def renew(self) -> None:
        """Something succeeded."""
        self._pause_s, self._failing_since = FIRST_PAUSE_S, None

    def lasts(self) -> bool:
        """Whether one more failure is to be waited for."""
        if self._failing_since is None:
            self._failing_since = time.monotonic()
        return time.monotonic() - self._failing_since < self._seconds

    def wait(self) -> None:
        """Pause, longer each time."""
        time.sleep(self._pause_s)
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
