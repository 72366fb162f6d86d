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
from millrace.landing.applied import (
    ContractsChangedError,
    NoneAppliedError,
    require_applied,
)
from millrace.landing.errors import TableMissingError

log = logging.getLogger(__name__)

CHECK_EVERY_S = 3.0
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 15.0


class ContractsWatch:
    """Which contracts to land: of each dataset the newest one that its table is as.

    A contract that somebody is editing, or that `make plan` refuses, stops no stream: its dataset
    goes on with the one it was landed by, and only where the table is no longer as that one says
    either is it left out, until a contract is applied. The others never notice.

    Attributes:
        left_out: why datasets are not landed by the folder's contracts; empty where all are.
    """

    def __init__(self, folder: Path, catalog: Catalog) -> None:
        self._folder = folder
        self._catalog = catalog
        self._running: Mapping[str, Contract] = {}
        self._seen = ""
        self._parsed: tuple[str, Mapping[str, Contract]] = ("", {})
        self._checked_at = 0.0
        self.left_out = ""

    def load(self) -> Mapping[str, Contract]:
        """The contracts to land from now on.

        Raises:
            MillraceError: one is malformed, and none were landed yet; or none is applied.
        """
        content = self._content()
        self._running = self._landable(trusted={})
        self._seen = "" if self.left_out else content
        return self._running

    def changed(self) -> bool:
        """Whether `load` would give others now; not asked of the services all the time."""
        if time.monotonic() - self._checked_at < CHECK_EVERY_S:
            return False
        self._checked_at = time.monotonic()
        try:
            return self._is_outdated()
        except Exception as error:  # the metastore does not answer: ask again
            log.warning("changed contracts are not looked at yet: %r", error)
            return False

    def require_current(self) -> None:
        """Refuse to land by contracts that others have replaced.

        A contract is applied to its table before its schema is registered. So where this passes
        at the beginning of a batch, no record of it has a field that its table would have had.

        Raises:
            ContractsChangedError: others are applied.
        """
        if self._is_outdated():
            raise ContractsChangedError

    def _is_outdated(self) -> bool:
        content = self._content()
        if content == self._seen:
            return False
        landable = self._landable(trusted=self._running)
        if landable != self._running:
            return True
        if not self.left_out:
            self._seen = content
        return False

    def _landable(self, trusted: Mapping[str, Contract]) -> dict[str, Contract]:
        """Of each dataset the contract to land.

        Args:
            trusted: where the folder says the same, the table was as it says a moment ago.
        """
        reasons = []
        try:
            contracts = self._read()
        except MillraceError as error:
            if not self._running:
                raise
            contracts = self._running
            reasons.append(str(error))
        landable = {}
        for name, contract in contracts.items():
            for candidate in (contract, self._running.get(name)):
                if candidate is None:
                    continue
                try:
                    if not candidate == contract == trusted.get(name):
                        require_applied(self._catalog, [candidate])
                except TableMissingError as error:
                    reasons.append(str(error))
                else:
                    landable[name] = candidate
                    break
        self._say("\n".join(dict.fromkeys(reasons)))
        if not landable:
            raise NoneAppliedError(self.left_out)
        return landable

    def _read(self) -> Mapping[str, Contract]:
        """The folder's contracts; parsed once, because an unsettled folder is looked at often."""
        content = self._content()
        if self._parsed[0] != content:
            self._parsed = (content, load_contracts(self._folder))
        return self._parsed[1]

    def _content(self) -> str:
        digest = hashlib.sha256()
        for path in sorted(self._folder.glob("*.yaml")):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
        return digest.hexdigest()

    def _say(self, reasons: str) -> None:
        if reasons and reasons != self.left_out:
            log.warning("not landed by contracts/ yet: %s", reasons)
        self.left_out = reasons


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
