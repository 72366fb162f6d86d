"""`millrace test`: the project's own tests, on a cluster of their own.

The tests never touch the user's cluster: they get a state folder and a port offset of their own,
so both can run at once. Two Python environments are tested, each by its own pytest: the lake's,
and Airflow's for the DAGs. The parts on containers are in `millrace.cli.docker_tests`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time

import click

from millrace.cli.beds import NATIVE, UNIT, Bed, leave, remove_test_cluster, test_environment
from millrace.settings import Settings, load

#: part of the suite -> (environment, arguments of pytest)
PARTS: dict[str, tuple[str, list[str]]] = {
    "lint": ("lake", ["tests/unit/house", "tests/unit/marts/test_marts_tools.py"]),
    # Two processes: these only compute. A file's tests share what they set up.
    "unit": ("lake", ["tests/unit", "--ignore=tests/unit/dags", "-n", "2", "--dist", "loadfile"]),
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
    bed = NATIVE if on_a_cluster else UNIT
    remove_test_cluster(settings, bed)
    selected = [word for part in parts for word in PARTS[part][1]]
    click.secho(f"== {' and '.join(parts)}: pytest {' '.join(selected)}", bold=True)
    code = run_pytest(settings, bed, [*selected, *arguments], environment_name)
    if on_a_cluster:
        leave(settings, bed, code)
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
