"""Every fault, by name. Each module has a tuple `FAULTS`; a new one is added below."""

from __future__ import annotations

from millrace.chaos.fault import Fault
from millrace.chaos.faults import (
    driver,
    everything,
    full,
    kafka,
    maintenance,
    rate,
    records,
    services,
    stores,
    storm,
    two_drivers,
    yarn,
)

MODULES = (
    driver,
    two_drivers,
    kafka,
    yarn,
    services,
    stores,
    full,
    records,
    rate,
    maintenance,
    everything,
    storm,
)
FAULTS: dict[str, type[Fault]] = {each.name: each for module in MODULES for each in module.FAULTS}
#: Those of `make chaos`; a storm is asked for by its own.
NAMED = tuple(name for name in FAULTS if name != storm.Storm.name)
#: Those of `make test`: before, in and after a commit, and what comes from each side of landing.
CORE = (
    "driver-before-commit",
    "two-drivers",
    "metastore-reply-lost",
    "broker-killed",
    "datanode-killed-while-writing",
    "poison-records",
)
