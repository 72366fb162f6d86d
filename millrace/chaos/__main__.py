"""`python -m millrace.chaos`: makes faults on the cluster of this environment.

Called by `millrace chaos` in the environment of a cluster of its own.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from millrace import ending
from millrace.chaos.faults import NAMED
from millrace.chaos.report import summary
from millrace.chaos.run import run_faults
from millrace.chaos.world import open_world
from millrace.errors import MillraceError
from millrace.settings import load

#: One flows to HDFS and one to the object store.
DATASETS = ("chaos_events", "chaos_parcels")

#: State folders of clusters that may be damaged.
OWN = ("-chaos", "-test")


def main() -> None:
    """Make the faults that are named, and exit with 0 where every one is clean."""
    parser = argparse.ArgumentParser(prog="millrace chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True, help="folder of the records")
    parser.add_argument("--faults", type=lambda text: text.split(","), default=list(NAMED))
    parser.add_argument("--storm", type=float, default=None, help="minutes of the storm")
    options = parser.parse_args()
    settings, began = load(), time.monotonic()
    if not settings.home.name.endswith(OWN):
        remedy = "make chaos  # which has a cluster of its own"
        refused = MillraceError(str(settings.home), "is not there to be damaged", remedy)
        sys.exit(f"error: {refused}")

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:7.1f}  {text}", flush=True)

    try:
        with open_world(settings, DATASETS, options.seed, say) as world:
            world.storm_minutes = options.storm or world.storm_minutes
            runs = run_faults(world, options.faults, options.out, options.seed)
    except MillraceError as error:
        sys.exit(f"error: {error}")
    print(f"records of the run: {options.out}")
    print(summary(runs), flush=True)
    sys.exit(0 if all(run.is_clean for run in runs) else 1)


if __name__ == "__main__":
    ending.run(main)
