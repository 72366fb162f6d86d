"""Faults of the stores: killed while bytes flow into them, or taking nothing for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

from millrace.chaos.evidence import Witness
from millrace.chaos.fault import Fault
from millrace.chaos.faults.hdfs_admin import HdfsAdmin
from millrace.chaos.faults.held_file import folder_of, held_data_file, of_tier
from millrace.chaos.triggers import until

if TYPE_CHECKING:
    from millrace.chaos.world import World


class DataNodeKilled(Fault):
    """A data file is open for writing and has some of its bytes: then the DataNode is gone."""

    name = "datanode-killed-while-writing"
    title = "DataNode killed while it is sent a data file"
    needs = (("present", "files:"), ("unmoved", "pointer:"), ("replaced", "process:datanode"))

    def strike(self, world: World, witness: Witness) -> None:
        """Hold a data file, see it open on HDFS, kill the DataNode."""
        contract = of_tier(world, "hdfs")
        with held_data_file(world, contract) as path:
            # No batch of the table is committed while one of its files stands still.
            before = world.lake.pointer(contract.raw_table)
            open_files = HdfsAdmin(world.settings).open_files(folder_of(world, contract))
            seen = next((each for each in open_files if each == path), None)
            witness.see("present", f"files:{contract.raw_table}", "open for writing", seen)
            killed = world.services.kill("datanode")
            witness.strike()
            after = world.lake.pointer(contract.raw_table)
        witness.see("unmoved", f"pointer:{contract.raw_table}", before, after)
        restarted = world.services.wait_healthy("datanode", killed)
        witness.see("replaced", "process:datanode", str(killed), str(restarted))


class ObjectStoreKilled(Fault):
    """The same of a table on the object store, which keeps no part of an object it did not get."""

    name = "objectstore-killed-while-writing"
    title = "object store killed while it is sent a data file"
    needs = (
        ("present", "request:"),
        ("absent", "files:"),
        ("unmoved", "pointer:"),
        ("replaced", "process:objectstore"),
    )

    def strike(self, world: World, witness: Witness) -> None:
        """Hold a data file on its way, kill the store, see that the store does not have it."""
        contract = of_tier(world, "s3")
        with held_data_file(world, contract) as path:
            before = world.lake.pointer(contract.raw_table)
            sent = f"{path}, a part of it"
            witness.see("present", f"request:{contract.raw_table}", "a data file on its way", sent)
            uri = f"s3:/{path}"
            stored = uri if world.lake.exists(uri) else None
            witness.see("absent", f"files:{contract.raw_table}", uri, stored)
            killed = world.services.kill("objectstore")
            witness.strike()
            after = world.lake.pointer(contract.raw_table)
        witness.see("unmoved", f"pointer:{contract.raw_table}", before, after)
        restarted = world.services.wait_healthy("objectstore", killed)
        witness.see("replaced", "process:objectstore", str(killed), str(restarted))


class NameNodeInSafeMode(Fault):
    """A NameNode comes back and takes no change for longer than a start lasts."""

    name = "namenode-restarted-in-safe-mode"
    title = "NameNode killed, and held in safe mode when it is back"
    needs = (
        ("replaced", "process:namenode"),
        ("present", "mode:namenode"),
        ("refused", "log:driver"),
        ("unmoved", "pointer:"),
    )

    def strike(self, world: World, witness: Witness) -> None:
        """Kill it, hold safe mode, wait until landing has been refused by it, leave it."""
        admin, contract = HdfsAdmin(world.settings), of_tier(world, "hdfs")
        killed = world.services.kill("namenode")
        until("the NameNode's answer", lambda: (admin.is_in_safe_mode(),))
        admin.hold_safe_mode(True)
        held = until("safe mode", admin.is_in_safe_mode)
        witness.see("present", "mode:namenode", "safe mode", "safe mode" if held else None)
        before = world.lake.pointer(contract.raw_table)
        earlier = _refusal(world)
        said = until("landing refused by safe mode", lambda: _later(_refusal(world), earlier))
        witness.see("refused", "log:driver", after=said)
        after = world.lake.pointer(contract.raw_table)
        witness.see("unmoved", f"pointer:{contract.raw_table}", before, after)
        # The fault is over, and the time to recover begins, when it takes changes again.
        admin.hold_safe_mode(False)
        witness.strike()
        restarted = world.services.wait_healthy("namenode", killed)
        witness.see("replaced", "process:namenode", str(killed), str(restarted))

    def clean(self, world: World) -> None:
        """Leave safe mode, whatever came between."""
        admin = HdfsAdmin(world.settings)
        if until("the NameNode's answer", lambda: (admin.is_in_safe_mode(),))[0]:
            admin.hold_safe_mode(False)


def _refusal(world: World) -> str | None:
    """What the driver said last of safe mode."""
    return world.landing.said(world.landing.driver(), "safe mode")


def _later(said: str | None, earlier: str | None) -> str | None:
    return said if said != earlier else None


FAULTS = (DataNodeKilled, ObjectStoreKilled, NameNodeInSafeMode)
