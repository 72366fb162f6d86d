"""All that a fault sees and may touch: services, the stream, the proxy, the lake, the load."""

from __future__ import annotations

import contextlib
import random
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from millrace.apply import draw_up, execute
from millrace.chaos.evidence import Mark
from millrace.chaos.gate import Gate
from millrace.chaos.lake_view import LakeView
from millrace.chaos.landing import LandingStream
from millrace.chaos.load import Load, Position
from millrace.chaos.proxy import MetastoreProxy
from millrace.chaos.services import Services
from millrace.chaos.triggers import until
from millrace.contracts import Contract, load_contracts
from millrace.lake import catalog
from millrace.landing.broker import Broker
from millrace.landing.lag import LagMeter
from millrace.settings import Settings

CONTRACTS = Path(__file__).parent / "contracts"
#: A start and its first batch take 40 s on a quiet machine of two cores, and were seen to take
#: 200 s beside two other clusters; then a lock of the dead is waited for.
LANDED_S = 480.0


@dataclass(frozen=True)
class Gates:
    """Doors between the stream and the stores, for faults while bytes flow."""

    objectstore: Gate
    datanode: Gate


@dataclass
class World:
    """One cluster under load.

    Attributes:
        contracts: of the datasets that flow; the first gets most of the records.
        seed, rng: of everything that is drawn.
        storm_minutes: how long each storm of a run lasts.
        say: tells the user what is being waited for.
    """

    settings: Settings
    contracts: Sequence[Contract]
    rng: random.Random
    proxy: MetastoreProxy
    gates: Gates
    services: Services
    landing: LandingStream
    lake: LakeView
    load: Load
    say: Callable[[str], None]
    seed: int
    storm_minutes: float = 3.0

    @property
    def table(self) -> str:
        """The raw table that most records go to."""
        return self.contracts[0].raw_table

    def settle(self) -> None:
        """Have landing run and everything so far landed; then records flow."""
        self.landing.ensure()
        self.load.resume()
        mark = self.load.mark()
        self.wait_landed_since(mark, LANDED_S)

    def wait_landed_since(self, mark: Mark, within_s: float) -> float:
        """Wait until the first record that was sent after the mark is visible in its raw table.

        Returns:
            When that was, in seconds since the epoch.

        Raises:
            NotSeenError: it is not visible in time.
        """
        tables = {each.dataset: each.raw_table for each in self.contracts}

        def visible(position: Position) -> bool:
            self.landing.ensure()  # what the DAG does meanwhile
            return self.lake.holds(tables[position.dataset], position)

        position = until(
            "a record that is acknowledged",
            lambda: self.load.first_acknowledged_since(mark),
            within_s,
        )
        until(f"{position} in raw", lambda: visible(position), within_s, poll_s=0.5)
        return time.time()

    def come_to_rest(self, within_s: float = LANDED_S) -> None:
        """Stop sending, and wait until all that was answered has landed.

        Raises:
            NotSeenError: it has not in time.
        """
        self.load.pause()
        meter = LagMeter(
            catalog(self.settings), Broker(self.settings.kafka.address), self.contracts
        )

        def landed() -> bool:
            self.landing.ensure()
            return not any(lag.behind for lag in meter.measure())

        until("everything landed", landed, within_s, poll_s=0.5)


@contextlib.contextmanager
def open_world(
    settings: Settings, datasets: Sequence[str], seed: int, say: Callable[[str], None]
) -> Iterator[World]:
    """A world on a running cluster; on leaving it landing is stopped and the load has its answers.

    Args:
        settings: of the cluster; its folder of contracts gets those of chaos.
        datasets: those that flow; their contracts are in `millrace/chaos/contracts`.
        seed: of everything that is drawn.
    """
    for dataset in datasets:
        shutil.copy(CONTRACTS / f"{dataset}.yaml", settings.contracts)
    say("applying the contracts of the load")
    known = load_contracts(settings.contracts)
    execute(draw_up(settings, known.values()), lambda step: None)
    contracts = [known[dataset] for dataset in datasets]
    with contextlib.ExitStack() as stack:
        proxy = stack.enter_context(
            MetastoreProxy(settings.metastore.host, settings.metastore.port)
        )
        store, node = settings.objectstore, settings.datanode
        gates = Gates(
            stack.enter_context(Gate(store.host, store.port)),
            stack.enter_context(Gate(node.host, node.http_port)),
        )
        landing = LandingStream(settings, _dialled(settings, proxy, gates))
        stack.callback(landing.stop)
        load = stack.enter_context(Load(settings, contracts, seed))
        say("starting landing through the proxy")
        yield World(
            settings,
            contracts,
            random.Random(seed),  # noqa: S311 - a run is to repeat
            proxy,
            gates,
            Services(settings),
            landing,
            LakeView(settings),
            load,
            say,
            seed,
        )


def _dialled(settings: Settings, proxy: MetastoreProxy, gates: Gates) -> dict[str, str]:
    """The addresses that the stream is given in place of the services' own."""
    node = settings.datanode
    return {
        "MILLRACE_METASTORE__PORT": str(proxy.port),
        "MILLRACE_OBJECTSTORE__PORT": str(gates.objectstore.port),
        # The name node names the DataNode that has a block; only the port of the door differs.
        "MILLRACE_DATANODE__REDIRECTS": (
            f"{node.host}:{node.http_port}={node.host}:{gates.datanode.port}"
        ),
    }
