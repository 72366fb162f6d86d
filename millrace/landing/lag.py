"""How far the tables are behind the log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pyiceberg.catalog import Catalog

from millrace.contracts.model import Contract
from millrace.errors import TransientError
from millrace.lake.offsets import TopicOffsets
from millrace.landing.broker import Log
from millrace.landing.errors import LandingBehindError
from millrace.landing.landed_table import LandedTable
from millrace.landing.positions import LogState, require_topic

POLL_S = 1.0


@dataclass(frozen=True)
class Lag:
    """One topic: where the log ends, and how many records of it are not landed."""

    dataset: str
    topic: str
    end: int
    behind: int


class LagMeter:
    """Measures the lag of every contract's topic."""

    def __init__(self, catalog: Catalog, broker: Log, contracts: Iterable[Contract]) -> None:
        self._catalog = catalog
        self._broker = broker
        self._contracts = {contract.topic: contract for contract in contracts}

    def measure(self, logs: Mapping[str, LogState] | None = None) -> list[Lag]:
        """The lag of each topic, in the order of the topics.

        Args:
            logs: measure against these ends instead of the present ones.

        Raises:
            TableMissingError, TopicMissingError: a contract is not applied.
            OffsetsLostError: a table does not tell how far it is landed.
            TopicRecreatedError: a topic is not the one that its table was landed from.
        """
        logs = logs or self.logs()
        return [self._of(topic, logs[topic]) for topic in sorted(self._contracts)]

    def logs(self) -> Mapping[str, LogState]:
        """What the broker has now."""
        return self._broker.log_states(self._contracts)

    def wait(self, timeout_s: float, tell: Callable[[list[Lag]], None]) -> list[Lag]:
        """Wait until all that is in the log now has landed; what comes later is not waited for.

        Raises:
            LandingBehindError: it has not in time.
        """
        logs, deadline = self.logs(), time.monotonic() + timeout_s
        while True:
            try:
                lags = self.measure(logs)
            except TransientError:  # a service is being restarted
                if time.monotonic() > deadline:
                    raise
                time.sleep(POLL_S)
                continue
            tell(lags)
            if not any(lag.behind for lag in lags):
                return lags
            if time.monotonic() > deadline:
                raise LandingBehindError({each.topic: each.behind for each in lags}, timeout_s)
            time.sleep(POLL_S)

    def _of(self, topic: str, log: LogState) -> Lag:
        contract = self._contracts[topic]
        table = LandedTable(self._catalog, contract.raw_table)
        table.load()
        table.require_offsets()
        landed = table.offsets.get(topic, TopicOffsets())
        require_topic(contract.dataset, topic, landed.topic_id, log.topic_id)
        behind = sum(
            max(0, end - landed.ends.get(partition, log.begins[partition]))
            for partition, end in log.ends.items()
        )
        return Lag(contract.dataset, topic, sum(log.ends.values()), behind)
