"""`millrace test`: the project's own tests, on a cluster of their own.

The tests never touch the user's cluster: they get a state folder and a port offset of their own,
so both can run at once. Two Python environments are tested, each by its own pytest: the lake's,
and Airflow's for the DAGs. The parts on containers are in `millrace.cli.docker_tests`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import click

from millrace.settings import Settings, load

#: part of the suite -> (environment, arguments of pytest)
PARTS: dict[str, tuple[str, list[str]]] = {
    "lint": ("lake", ["tests/unit/house", "tests/unit/marts/test_marts_tools.py"]),
    "unit": ("lake", ["tests/unit", "--ignore=tests/unit/dags"]),
    # The other conftest files import the lake's libraries.
    "dags": (
        "airflow",
        ["tests/unit/dags", "--confcutdir=tests/unit/dags", "-p", "no:cacheprovider"],
    ),
    "integration": ("lake", ["tests/integration"]),
    "e2e": ("lake", ["tests/e2e"]),
    "fire": ("lake", ["tests/e2e/test_airflow_under_fire.py", "-m", "fire"]),
}
CLUSTER_PARTS = {"integration", "e2e", "fire"}
#: One pytest for all that needs the cluster, so that it starts once.
WHOLE = (["unit"], ["dags"], ["integration", "e2e"])
CHOICES = {"all": WHOLE, "unit": WHOLE[:2], "cluster": WHOLE[2:]}
#: Those that look at processes of this machine run natively; those in tests/docker stand for them.
ON_CONTAINERS = ["-m", "not native"]
#: choice -> arguments of pytest, on containers
DOCKER_CHOICES = {
    "docker": ["tests/integration", "tests/e2e", "tests/docker", *ON_CONTAINERS],
    "docker-smoke": ["tests/integration", *ON_CONTAINERS],
}


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


@click.command(name="test", context_settings={"ignore_unknown_options": True})
@click.argument("part", default="all", type=click.Choice([*CHOICES, *PARTS, *DOCKER_CHOICES]))
@click.option("--remove-images", is_flag=True, help="Remove our images after the Docker parts.")
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED)
def run_tests(part: str, remove_images: bool, pytest_arguments: tuple[str, ...]) -> None:
    """Run PART of the tests (default: all), with further arguments for pytest.

    \b
    lint          style, types, SQL, shell, and the rules of CONTRIBUTING.md
    unit          no cluster needed (DAGs included)
    integration   each service through the client its users use
    e2e           the demo, twice; contracts that grow and change; landing, quarantine, maintenance;
                  services killed, six faults; the verifier and what checks it
    fire          Airflow's parts die, freeze and thaw; ten minutes, not part of all
    cluster       integration and e2e on one cluster
    docker        integration, e2e and what only Docker has, on containers of our images
    docker-smoke  the images, integration on containers of them
    """
    settings = load()
    started = time.monotonic()
    if part in DOCKER_CHOICES:
        from millrace.cli.docker_tests import run_on_containers

        selected = [*DOCKER_CHOICES[part], *pytest_arguments]
        codes = [run_on_containers(settings, part, selected, remove_images=remove_images)]
    else:
        rounds = CHOICES.get(part, ([part],))
        codes = [run_round(settings, names, list(pytest_arguments)) for names in rounds]
    click.echo(f"tests took {time.monotonic() - started:.0f} s")
    sys.exit(1 if any(codes) else 0)


def run_round(settings: Settings, parts: list[str], arguments: list[str]) -> int:
    """Run one pytest over the parts; they share an environment. Returns its exit code."""
    environment_name = PARTS[parts[0]][0]
    on_a_cluster = bool(CLUSTER_PARTS & set(parts))
    if on_a_cluster:
        remove_test_cluster(settings, NATIVE)
    selected = [word for part in parts for word in PARTS[part][1]]
    click.secho(f"== {' and '.join(parts)}: pytest {' '.join(selected)}", bold=True)
    code = run_pytest(settings, NATIVE, [*selected, *arguments], environment_name)
    if on_a_cluster and code == 0:
        remove_test_cluster(settings, NATIVE)
    elif on_a_cluster:
        run_millrace(settings, NATIVE, "down")
        click.echo(f"the logs of the test cluster stay in {NATIVE.home(settings)}/logs")
    return code


def run_pytest(
    settings: Settings, bed: Bed, arguments: list[str], environment_name: str = "lake"
) -> int:
    """Run pytest in an environment of the distribution; returns its exit code."""
    python = settings.dist / environment_name / "bin" / "python"
    return subprocess.run(
        [str(python), "-m", "pytest", *arguments],
        cwd=settings.root,
        env=test_environment(settings, bed),
        check=False,
    ).returncode


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
    wanted = ("MILLRACE_BUILD_", "MILLRACE_VERSION", "MILLRACE_REVISION")
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


@click.command()
def clean() -> None:
    """Remove temporary files: caches of the tools, compiled Python, dbt's target folder."""
    root = load().root
    names = ["__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache"]
    found = [path for name in names for path in root.rglob(name) if ".millrace" not in path.parts]
    found += [root / "dbt_project" / name for name in ("target", "logs")]
    for path in found:
        shutil.rmtree(path, ignore_errors=True)
    click.echo(f"removed {len(found)} temporary folders; data and downloads are untouched")


@click.command()
def shell() -> None:
    """Open Python with the lake's libraries, `settings` and `catalog` at hand."""
    settings = load()
    program = (
        "from millrace.settings import load\n"
        "from millrace.lake import catalog as _catalog\n"
        "settings = load(); catalog = _catalog(settings)\n"
        "print('settings, catalog; for example catalog.list_tables(\"marts\")')\n"
    )
    python = str(settings.dist / "lake" / "bin" / "python")
    os.execv(python, [python, "-i", "-c", program])  # noqa: S606 - an interactive shell is the point
