"""`millrace test`: the project's own tests, on a cluster of their own.

The tests never touch the user's cluster: they get a state folder and a port offset of their own,
so both can run at once. Two Python environments are tested, each by its own pytest: the lake's,
and Airflow's for the DAGs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import click

from millrace.settings import Settings, load

#: Far from the base ports and below Linux's ephemeral range (32768), whatever the service.
TEST_PORT_OFFSET = 12_000
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
}
CLUSTER_PARTS = {"integration", "e2e"}
#: One pytest for all that needs the cluster, so that it starts once.
WHOLE = (["unit"], ["dags"], ["integration", "e2e"])
CHOICES = {"all": WHOLE, "unit": WHOLE[:2], "cluster": WHOLE[2:]}


@click.command(name="test", context_settings={"ignore_unknown_options": True})
@click.argument("part", default="all", type=click.Choice([*CHOICES, *PARTS]))
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED)
def run_tests(part: str, pytest_arguments: tuple[str, ...]) -> None:
    """Run PART of the tests (default: all), with further arguments for pytest.

    \b
    lint         style, types, SQL, shell, and the rules of CONTRIBUTING.md
    unit         no cluster needed (DAGs included)
    integration  each service through the client its users use
    e2e          the demo, twice; growth of a contract; services killed
    cluster      integration and e2e on one cluster
    """
    settings = load()
    started = time.monotonic()
    rounds = CHOICES.get(part, ([part],))
    codes = [run_round(settings, names, list(pytest_arguments)) for names in rounds]
    click.echo(f"tests took {time.monotonic() - started:.0f} s")
    sys.exit(1 if any(codes) else 0)


def run_round(settings: Settings, parts: list[str], arguments: list[str]) -> int:
    """Run one pytest over the parts; they share an environment. Returns its exit code."""
    environment_name = PARTS[parts[0]][0]
    on_a_cluster = bool(CLUSTER_PARTS & set(parts))
    if on_a_cluster:
        remove_test_cluster(settings)
    selected = [word for part in parts for word in PARTS[part][1]]
    python = settings.dist / environment_name / "bin" / "python"
    click.secho(f"== {' and '.join(parts)}: pytest {' '.join(selected)}", bold=True)
    done = subprocess.run(
        [str(python), "-m", "pytest", *selected, *arguments],
        cwd=settings.root,
        env=test_environment(settings),
        check=False,
    )
    if on_a_cluster and done.returncode == 0:
        remove_test_cluster(settings)
    elif on_a_cluster:
        run_millrace(settings, "down")
        click.echo(f"the logs of the test cluster stay in {test_home(settings)}/logs")
    return done.returncode


def test_home(settings: Settings) -> Path:
    """The state folder of the test cluster, beside the user's."""
    return settings.root / ".millrace-test"


def remove_test_cluster(settings: Settings) -> None:
    """End and delete what an earlier run of the tests left."""
    home = test_home(settings)
    if (home / "cluster").exists():
        run_millrace(settings, "destroy", "--yes")
    if home.exists():
        shutil.rmtree(home)


def run_millrace(settings: Settings, *arguments: str) -> None:
    """Run the command line on the test cluster, by the user's own distribution."""
    python = settings.dist / "lake" / "bin" / "python"
    subprocess.run(
        [str(python), "-m", "millrace", *arguments],
        cwd=settings.root,
        env=test_environment(settings),
        check=True,
    )


def test_environment(settings: Settings) -> dict[str, str]:
    """The environment of the tests: the test cluster's folder and ports, nothing of the user's."""
    home = test_home(settings)
    link_distribution(settings.dist, home / "dist")
    contracts = home / "contracts"
    if not contracts.exists():
        # A copy: the tests add datasets and fields.
        shutil.copytree(settings.root / "contracts", contracts)
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("MILLRACE_")}
    return {
        **inherited,
        "MILLRACE_HOME": str(home),
        "MILLRACE_CONTRACTS": str(contracts),
        "MILLRACE_NOTIFY__URL": f"http://127.0.0.1:{9099 + TEST_PORT_OFFSET}/",
        "MILLRACE_PORT_OFFSET": str(TEST_PORT_OFFSET),
        "PYTHONPATH": f"{settings.root}:{settings.root / 'kafka' / 'producers'}",
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
