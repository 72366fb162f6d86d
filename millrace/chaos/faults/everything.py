"""Every process of the cluster dies in the same moment, and the cluster is started again."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from millrace.chaos.evidence import Witness
from millrace.chaos.fault import Fault
from millrace.chaos.processes import ProcessId, identify
from millrace.chaos.proxy import Moment
from millrace.chaos.thrift_calls import ALTER
from millrace.chaos.triggers import NotSeenError, until
from millrace.cluster import lifecycle
from millrace.cluster.strays import members
from millrace.cluster.supervisor import Supervisor

if TYPE_CHECKING:
    from millrace.chaos.world import World

UP_S = 300.0
#: What a kill overtakes (a fork of a shell) is killed in the next round.
ROUNDS = 10


class EverythingKilled(Fault):
    """Supervisor, services, containers: all by SIGKILL, with a commit on its way."""

    name = "everything-killed"
    title = "every process of the cluster killed at once, then `make up`"
    needs = (
        ("ended", "process:supervisor"),
        ("absent", "processes:cluster"),
        ("present", "call:"),
        ("replaced", "process:kafka"),
        ("replaced", "process:namenode"),
        ("replaced", "process:postgres"),
        ("replaced", "process:metastore"),
        ("replaced", "process:resourcemanager"),
    )

    def strike(self, world: World, witness: Witness) -> None:
        """Kill all of it, see that nothing is left, start it again."""
        processes = {name: world.services.process(name) for name in world.services.names()}
        before = {name: process for name, process in processes.items() if process}
        with world.proxy.snare(ALTER, world.table, Moment.BEFORE) as snare:
            call = snare.wait()
            witness.see("present", f"call:{world.table}", None, f"{call.method}, on its way")
            supervisor = identify(int(Supervisor(world.settings).pid_file.read_text()))
            witness.strike()
            number = _kill_all(world)
            snare.cut()
        alive = supervisor is not None and supervisor.is_alive
        witness.see("ended", "process:supervisor", str(supervisor), "alive" if alive else None)
        left = ", ".join(str(each.process.pid) for each in members(world.settings.home))
        witness.see("absent", "processes:cluster", f"{number} processes", left or None)
        world.say(f"{number} processes were killed; starting the cluster again")
        world.landing.hands.append("make up")
        lifecycle.up(world.settings, (), UP_S, lambda states: None)
        for name, process in before.items():
            other = world.services.process(name)
            witness.see("replaced", f"process:{name}", str(process), str(other))


def _kill_all(world: World) -> int:
    """Kill every process of the cluster; how many there were."""
    killed: set[ProcessId] = set()
    for _ in range(ROUNDS):
        found = [identify(member.process.pid) for member in members(world.settings.home)]
        # The supervisor is the oldest of them, and would start the others again.
        round_ = sorted((each for each in found if each), key=lambda each: each.started)
        if not round_:
            return len(killed)
        for each in round_:
            each.signal(signal.SIGKILL)
        killed.update(round_)
        until("their end", lambda: not any(each.is_alive for each in killed), 30.0)
    raise NotSeenError("the end of every process of the cluster", 0)


FAULTS = (EverythingKilled,)
