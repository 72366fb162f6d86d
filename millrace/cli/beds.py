"""Clusters beside the user's: those of the tests, of the chaos runs and of the benchmark.

Each has a state folder and a port offset of its own, so that all can run at once, and runs on the
user's distribution.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import click

from millrace.settings import Settings

#: Such a cluster may start beside the user's, on the same two cores.
UP_S = 600


@dataclass(frozen=True)
class Bed:
    """Where a test cluster lives.

    Args:
        folder: its state folder, below the repository.
        runtime: `native` or `docker`.
        port_offset: far from the base ports, and below Linux's ephemeral range (32768) for each.
        notify_url: where its Airflow reports a failed task.
    """

    folder: str
    runtime: str
    port_offset: int
    notify_url: str

    def home(self, settings: Settings) -> Path:
        """The state folder of the test cluster, beside the user's."""
        return settings.root / self.folder

    def clone(self, settings: Settings) -> Path:
        """The copy of the repository that its containers mount, where there is one."""
        return self.home(settings) / "clone"


NATIVE = Bed(".millrace-test", "native", 12_000, f"http://127.0.0.1:{9099 + 12_000}/")
#: No cluster: the settings of the unit tests.
UNIT = Bed(".millrace-unit", "native", 11_000, f"http://127.0.0.1:{9099 + 11_000}/")
#: That of `millrace chaos`.
CHAOS = Bed(".millrace-chaos", "native", 14_000, f"http://127.0.0.1:{9099 + 14_000}/")
#: That of `millrace bench`.
BENCH = Bed(".millrace-bench", "native", 15_000, f"http://127.0.0.1:{9099 + 15_000}/")
#: A container of the tests takes the reports: the host's 127.0.0.1 is not theirs.
DOCKER = Bed(".millrace-test-docker", "docker", 13_000, "http://notifications:9099/")


#: Build secrets where the machine has none: the tests look for them in the layers. Computed, since
#: this file is in the images; the same for every run, since layers are kept from build to build.
_PLANTED = hashlib.sha256(b"planted by the tests of the images").hexdigest()
PLANTED_SECRETS = {
    "MILLRACE_BUILD_PIP_CONF": f"# {_PLANTED}\n",
    "MILLRACE_BUILD_MAVEN_SETTINGS": f"<settings><!-- {_PLANTED} --></settings>\n",
}


def run_on_own_cluster(settings: Settings, bed: Bed, command: list[str], *, keep: bool) -> int:
    """Start the cluster of a bed, run a command against it, and leave nothing running.

    Args:
        command: arguments of the lake's Python: `-m` and a module, with its own.
        keep: use the cluster that is there, and leave it running.

    Returns:
        The exit code, of the start where that failed. After 0 the cluster is removed; after
        another one, or a ^C, it is stopped, and its logs stay.
    """
    if not keep:
        remove_test_cluster(settings, bed)
    environment = test_environment(settings, bed)
    try:
        run_millrace(settings, bed, "up", "--wait", str(UP_S))
    except subprocess.CalledProcessError as error:
        return error.returncode  # it has said why
    python = str(settings.dist / "lake" / "bin" / "python")
    code = 1
    try:
        code = subprocess.run(
            [python, *command], cwd=settings.root, env=environment, check=False
        ).returncode
    finally:
        if not keep:
            leave(settings, bed, code)
    return code


def leave(settings: Settings, bed: Bed, code: int) -> None:
    """Remove the cluster of a clean run; of another one stop it, for its logs."""
    if code == 0:
        remove_test_cluster(settings, bed)
    else:
        run_millrace(settings, bed, "down")
        click.echo(f"the logs stay in {bed.home(settings)}/logs")


def remove_test_cluster(settings: Settings, bed: Bed) -> None:
    """End and delete what an earlier run of the tests left."""
    home = bed.home(settings)
    if (home / "cluster").exists():
        run_millrace(settings, bed, "destroy", "--yes")
    if home.exists():
        shutil.rmtree(home)


def run_millrace(settings: Settings, bed: Bed, *arguments: str) -> None:
    """Run the command line on the test cluster, by the user's own distribution."""
    python = settings.dist / "lake" / "bin" / "python"
    subprocess.run(
        [str(python), "-m", "millrace", *arguments],
        cwd=settings.root,
        env=test_environment(settings, bed),
        check=True,
    )


def test_environment(settings: Settings, bed: Bed) -> dict[str, str]:
    """The environment of the tests: the test cluster's folder and ports, nothing of the user's."""
    home = bed.home(settings)
    link_distribution(settings.dist, home / "dist")
    contracts = home / "contracts"
    if not contracts.exists():
        # A copy: the tests add datasets and fields.
        shutil.copytree(settings.root / "contracts", contracts)
    # Which images are tested, and what their build needs on this machine, is not of a cluster.
    wanted = ("MILLRACE_BUILD_", "MILLRACE_VERSION", "MILLRACE_REVISION", "MILLRACE_CODE_REVISION")
    kept = {k: v for k, v in os.environ.items() if k.startswith(wanted)}
    if bed is DOCKER:
        kept = PLANTED_SECRETS | kept
    if bed.clone(settings).exists():
        kept["MILLRACE_ROOT"] = str(bed.clone(settings))
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("MILLRACE_")}
    # Of the lake's versions where both have a package.
    search_path = [str(settings.root), str(settings.root / "kafka" / "producers")]
    if (unit := settings.dist / "testcontainers").exists():
        search_path.append(str(unit / "lib" / "python3.11" / "site-packages"))
    return {
        **inherited,
        **kept,
        "RUNTIME": bed.runtime,
        "MILLRACE_HOME": str(home),
        "MILLRACE_CONTRACTS": str(contracts),
        "MILLRACE_NOTIFY__URL": bed.notify_url,
        "MILLRACE_PORT_OFFSET": str(bed.port_offset),
        "PYTHONPATH": os.pathsep.join(search_path),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def link_distribution(source: Path, target: Path) -> None:
    """Give the test cluster the units that the user's cluster runs on."""
    target.mkdir(parents=True, exist_ok=True)
    for unit in source.iterdir():
        link = target / unit.name
        link.unlink(missing_ok=True)
        link.symlink_to(unit.resolve())
