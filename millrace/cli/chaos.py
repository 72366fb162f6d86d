"""`millrace chaos`: faults on a cluster of their own, with evidence, and a verdict after each."""

from __future__ import annotations

import subprocess
import sys

import click

from millrace.cli.testing import CHAOS, remove_test_cluster, run_millrace, test_environment
from millrace.errors import MillraceError
from millrace.settings import load

#: Not the user's cluster: it may start beside that one, on the same two cores.
UP_S = 600


@click.command()
@click.option("--seed", type=int, default=1, show_default=True, help="of everything drawn")
@click.option("--faults", "names", help="only these, in this order: a,b")
@click.option("--storm", type=click.FloatRange(0, min_open=True), help="a storm of MINUTES instead")
@click.option("--list", "is_list", is_flag=True, help="Name every fault and make none.")
@click.option("--keep", is_flag=True, help="Use the cluster that is there, and leave it running.")
def chaos(seed: int, names: str | None, storm: float | None, is_list: bool, keep: bool) -> None:
    """Make faults while records flow, and verify after each that none was lost or doubled.

    The cluster is a native one of its own (.millrace-chaos), removed when all is well.
    """
    from millrace.chaos.faults import FAULTS, NAMED
    from millrace.chaos.faults.storm import Storm

    if is_list:
        for name, fault in FAULTS.items():
            click.echo(f"{name:<36} {fault.title}")
        return
    chosen = names.split(",") if names else [Storm.name] if storm else list(NAMED)
    for name in chosen:
        if name not in FAULTS:
            raise MillraceError(
                f"fault {name}", "there is no such fault", "bin/millrace chaos --list"
            )
    settings = load()
    if not keep:
        remove_test_cluster(settings, CHAOS)
    environment = test_environment(settings, CHAOS)
    try:
        run_millrace(settings, CHAOS, "up", "--wait", str(UP_S))
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)  # it has said why
    python = settings.dist / "lake" / "bin" / "python"
    command = [
        str(python),
        "-m",
        "millrace.chaos",
        f"--seed={seed}",
        f"--faults={','.join(chosen)}",
        f"--storm={storm or Storm.minutes}",
    ]
    code = subprocess.run(command, cwd=settings.root, env=environment, check=False).returncode
    if keep:
        sys.exit(code)
    if code == 0:
        remove_test_cluster(settings, CHAOS)
    else:
        run_millrace(settings, CHAOS, "down")
        click.echo(f"logs and records of the faults stay in {CHAOS.home(settings)}")
    sys.exit(code)
