"""The services that a commit goes through die in it, and the executors while they write for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from millrace.chaos.evidence import Witness
from millrace.chaos.fault import Fault
from millrace.chaos.faults.held_file import held_data_file, of_tier
from millrace.chaos.processes import Container, ProcessId
from millrace.chaos.proxy import Moment
from millrace.chaos.thrift_calls import ALTER, Call
from millrace.chaos.triggers import until

if TYPE_CHECKING:
    from millrace.chaos.world import World


class MetastoreKilledBeforeCommit(Fault):
    """The files are written, the call that commits them is on its way: the metastore is gone."""

    name = "metastore-killed-before-commit"
    title = "metastore killed when a commit is on its way to it"
    needs = (("present", "call:"), ("unmoved", "pointer:"), ("replaced", "process:metastore"))

    def strike(self, world: World, witness: Witness) -> None:
        """Hold the call, kill the metastore, let the call run into the dead one."""
        table = world.table
        with world.proxy.snare(ALTER, table, Moment.BEFORE) as snare:
            call = snare.wait()
            _see_held(world, witness, call)
            killed = world.services.kill("metastore")
            witness.strike()
        restarted = world.services.wait_healthy("metastore", killed)
        witness.see("replaced", "process:metastore", str(killed), str(restarted))


class MetastoreKilledAfterCommit(Fault):
    """The metastore has done the commit and is gone before the driver hears of it."""

    name = "metastore-killed-after-commit"
    title = "metastore killed when a commit is done and not answered"
    needs = (("moved", "pointer:"), ("replaced", "process:metastore"))

    def strike(self, world: World, witness: Witness) -> None:
        """Hold the answer, see the pointer moved, kill the metastore, lose the answer."""
        table = world.table
        with world.proxy.snare(ALTER, table, Moment.DONE) as snare:
            call = snare.wait()
            pointer = world.lake.pointer(table)
            moved = pointer if pointer == call.new_location else None
            witness.see("moved", f"pointer:{table}", call.old_location, moved)
            killed = world.services.kill("metastore")
            witness.strike()
            snare.cut()
        restarted = world.services.wait_healthy("metastore", killed)
        witness.see("replaced", "process:metastore", str(killed), str(restarted))


class PostgresKilledInCommit(Fault):
    """The metastore gets a commit whose database is gone. The registry's and Airflow's is, too."""

    name = "postgres-killed-in-commit"
    title = "PostgreSQL killed when a commit reaches the metastore"
    needs = (("present", "call:"), ("unmoved", "pointer:"), ("replaced", "process:postgres"))

    def strike(self, world: World, witness: Witness) -> None:
        """Hold the call, kill PostgreSQL, let the call go on to the metastore."""
        with world.proxy.snare(ALTER, world.table, Moment.BEFORE) as snare:
            call = snare.wait()
            _see_held(world, witness, call)
            killed = world.services.kill("postgres")
            witness.strike()
        restarted = world.services.wait_healthy("postgres", killed)
        witness.see("replaced", "process:postgres", str(killed), str(restarted))


class ExecutorsKilledWhileWriting(Fault):
    """The executors die with a data file half written; the driver stays and asks for others."""

    name = "executors-killed-while-writing"
    title = "executors killed while they write a data file"
    needs = (
        ("present", "request:"),
        ("ended", "process:executor"),
        ("replaced", "process:executor"),
        ("unmoved", "pointer:"),
        ("unmoved", "process:driver"),
    )

    def __init__(self) -> None:
        self._driver: Container | None = None
        self._executor: Container | None = None

    def strike(self, world: World, witness: Witness) -> None:
        """Hold a data file and kill who writes it."""
        contract = of_tier(world, "hdfs")
        table = contract.raw_table
        self._driver = world.landing.driver()
        with held_data_file(world, contract) as path:
            # No batch of the table is committed while one of its files stands still.
            before = world.lake.pointer(table)
            witness.see("present", f"request:{table}", "a data file, a part of it", path)
            executors = until("the executors", world.landing.executors)
            self._executor = executors[0]
            witness.strike()
            for each in executors:
                each.kill()
            until("the end of the executors", lambda: not any(c.is_alive for c in executors), 30.0)
            for each in executors:
                witness.see("ended", "process:executor", str(each), None)
            witness.see("unmoved", f"pointer:{table}", before, world.lake.pointer(table))

    def afterwards(self, world: World, witness: Witness) -> None:
        """The same driver has other executors."""
        assert self._driver
        others = until("the executors", world.landing.executors)
        witness.see("replaced", "process:executor", str(self._executor), str(others[0]))
        witness.see("unmoved", "process:driver", self._driver.id, world.landing.driver().id)


class NodeManagerAndExecutorsKilled(Fault):
    """The node goes down with the executors; the driver stays and gets others from the next one."""

    name = "nodemanager-and-executors-killed"
    title = "NodeManager and executors killed at once"
    needs = (
        ("ended", "process:nodemanager"),
        ("ended", "process:executor"),
        ("replaced", "process:nodemanager"),
        ("replaced", "process:executor"),
        ("unmoved", "process:driver"),
    )

    def __init__(self) -> None:
        self._node: ProcessId | None = None
        self._driver: Container | None = None
        self._executor: Container | None = None

    def strike(self, world: World, witness: Witness) -> None:
        """Kill them while a commit is on its way."""
        self._driver = world.landing.driver()
        executors = until("the executors", world.landing.executors)
        self._executor = executors[0]
        with world.proxy.snare(ALTER, None, Moment.BEFORE) as snare:
            snare.wait()
            witness.strike()
            self._node = node = world.services.kill("nodemanager")
            for each in executors:
                each.kill()
            until("the end of the executors", lambda: not any(c.is_alive for c in executors), 30.0)
            until("the end of the NodeManager", lambda: not node.is_alive, 30.0)
        witness.see("ended", "process:nodemanager", str(node), None)
        for each in executors:
            witness.see("ended", "process:executor", str(each), None)

    def afterwards(self, world: World, witness: Witness) -> None:
        """Others have taken their places."""
        assert self._driver
        other = world.services.wait_healthy("nodemanager", self._node)
        witness.see("replaced", "process:nodemanager", str(self._node), str(other))
        others = until("the executors", world.landing.executors)
        witness.see("replaced", "process:executor", str(self._executor), str(others[0]))
        witness.see("unmoved", "process:driver", self._driver.id, world.landing.driver().id)


def _see_held(world: World, witness: Witness, call: Call) -> None:
    """The commit is planned and its files are there; the metastore has not heard of it."""
    planned = world.lake.planned(call)
    there = [path for path in (planned.location, *planned.files) if world.lake.exists(path)]
    witness.see("present", f"call:{call.table}", call.method, " ".join(there) or None)
    pointer = world.lake.pointer(str(call.table))
    witness.see("unmoved", f"pointer:{call.table}", planned.replaces, pointer)


FAULTS = (
    MetastoreKilledBeforeCommit,
    MetastoreKilledAfterCommit,
    PostgresKilledInCommit,
    ExecutorsKilledWhileWriting,
    NodeManagerAndExecutorsKilled,
)
