"""`millrace chaos`: faults on a cluster of their own, with evidence, and a verdict after each."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import click

from millrace.cli.beds import CHAOS, run_on_own_cluster
from millrace.errors import MillraceError
from millrace.settings import load


@click.command()
@click.option("--seed", type=int, default=1, show_default=True, help="Of everything that is drawn.")
@click.option("--faults", "names", help="Only these, in this order: a,b.")
@click.option(
    "--storm", type=click.FloatRange(0, min_open=True), help="A storm of MINUTES instead."
)
@click.option("--list", "is_list", is_flag=True, help="Name every fault and make none.")
@click.option("--keep", is_flag=True, help="Use the cluster that is there, and leave it running.")
def chaos(seed: int, names: str | None, storm: float | None, is_list: bool, keep: bool) -> None:
    """Make faults while records flow, and verify after each that none was lost or doubled.

    The cluster is a native one of its own (.millrace-chaos), removed when all is well. A record of
    each fault goes to `chaos/` of the state folder.
    """
    from millrace.chaos.faults import FAULTS

    if is_list:
        for name, fault in FAULTS.items():
            click.echo(f"{name:<36} {fault.title}")
        return
    chosen = _chosen(names, storm)
    settings = load()
    # Of the user's cluster: the other one is removed.
    out = settings.home / "chaos" / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{seed}"
    command = ["-m", "millrace.chaos", f"--seed={seed}", f"--out={out}"]
    command += [f"--faults={','.join(chosen)}", *([f"--storm={storm}"] if storm else [])]
    sys.exit(run_on_own_cluster(settings, CHAOS, command, keep=keep))


def _chosen(names: str | None, storm: float | None) -> list[str]:
    """The faults to make, in their order."""
    from millrace.chaos.faults import FAULTS, NAMED
    from millrace.chaos.faults.storm import Storm

    if names is not None and storm:
        raise click.UsageError("--faults and --storm exclude each other")
    if names is None:
        return [Storm.name] if storm else list(NAMED)
    chosen = names.split(",")
    for name in chosen:
        if name not in FAULTS:
            cause = "there is no such fault"
            raise MillraceError(f"fault {name!r}", cause, "bin/millrace chaos --list")
    return chosen
