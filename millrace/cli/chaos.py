"""`millrace chaos`: faults on a cluster of their own, with evidence, and a verdict after each."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import click

from millrace.cli.testing import CHAOS, remove_test_cluster, run_millrace, test_environment
from millrace.errors import MillraceError
from millrace.settings import Settings, load

#: Not the user's cluster: it may start beside that one, on the same two cores.
UP_S = 600


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
    if not keep:
        remove_test_cluster(settings, CHAOS)
    environment = test_environment(settings, CHAOS)
    try:
        run_millrace(settings, CHAOS, "up", "--wait", str(UP_S))
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)  # it has said why
    # Of the user's cluster: the other one is removed.
    out = settings.home / "chaos" / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{seed}"
    python = settings.dist / "lake" / "bin" / "python"
    command = [str(python), "-m", "millrace.chaos", f"--seed={seed}", f"--out={out}"]
    command += [f"--faults={','.join(chosen)}", *([f"--storm={storm}"] if storm else [])]
    code = 1
    try:
        code = subprocess.run(command, cwd=settings.root, env=environment, check=False).returncode
    finally:
        _leave(settings, code, keep=keep)
    sys.exit(code)


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


def _leave(settings: Settings, code: int, *, keep: bool) -> None:
    """Remove the cluster of a clean run; of another one stop it, for its logs."""
    if keep:
        return
    if code == 0:
        remove_test_cluster(settings, CHAOS)
    else:
        run_millrace(settings, CHAOS, "down")
        click.echo(f"the logs stay in {CHAOS.home(settings)}/logs")
