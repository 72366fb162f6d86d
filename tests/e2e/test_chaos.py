"""Six faults on the tests' cluster, by the code of `make chaos`: nothing lost, nothing doubled.

The order is that of `CORE`; each leaves the stream running for the next one.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from millrace.chaos.faults import CORE, FAULTS
from millrace.chaos.report import lines, write
from millrace.chaos.run import run_fault
from millrace.chaos.world import World, open_world
from millrace.settings import Settings

SEED = 1
DATASET = "chaos_events"
#: kafka-python leaves the sockets of a client open that finds no broker.
pytestmark = [pytest.mark.native, pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")]


@pytest.fixture(scope="module")
def world(cluster: Settings) -> Iterator[World]:
    """The tests' cluster under load; afterwards landing is stopped and the dataset forgotten."""
    with open_world(cluster, (DATASET,), SEED, print) as flowing:
        yield flowing
    # The tables of the other tests are counted.
    (cluster.contracts / f"{DATASET}.yaml").unlink()
    # Here they may be open, in a later test they are an error.
    gc.collect()


@pytest.mark.parametrize("name", CORE)
def test_a_fault_loses_nothing_and_doubles_nothing(world: World, name: str) -> None:
    run = run_fault(world, FAULTS[name](), SEED, whole=name == CORE[-1])
    write(run, world.settings.home / "chaos" / "tests", CORE.index(name) + 1)
    shown = "\n".join(lines(run))
    print(shown)
    assert run.is_clean, shown
