"""The rules of the house that a program can check; CONTRIBUTING.md lists them for people."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from millrace.dist.cache import cache_folder

ROOT = Path(__file__).resolve().parents[3]
MODULE_CEILING = 250
FUNCTION_CEILING = 60
DAG_CEILING = 150
PACKAGES = [
    "millrace",
    "spark_jobs",
    "kafka/producers/millrace_producers",
    "airflow/include/millrace_airflow",
]
#: names of libraries that a file or folder of ours must not shadow on the search path
SHADOWING = ["airflow/__init__.py", "kafka/__init__.py", "dbt_project/__init__.py"]
STANDARD_NAMES = {"types.py", "logging.py", "kafka.py", "airflow.py", "json.py", "queue.py"}


def tracked(*patterns: str) -> list[Path]:
    """Files of the repository that match, tracked or about to be."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    return [ROOT / name for name in listed if (ROOT / name).is_file()]


def python_files(*folders: str) -> list[Path]:
    """Python files below the folders, at least one."""
    files = [file for file in tracked("*.py") if not folders or _below(file, folders)]
    assert files, f"no Python file below {folders}: the rule would check nothing"
    return files


def _below(file: Path, folders: tuple[str, ...]) -> bool:
    return any(file.is_relative_to(ROOT / folder) for folder in folders)


def module_level_imports(file: Path) -> Iterator[str]:
    """Top names of the modules a file imports when it is imported, type checking aside."""
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


def test_no_module_is_longer_than_the_ceiling() -> None:
    long = {
        str(file.relative_to(ROOT)): lines
        for file in python_files()
        if (lines := len(file.read_text().splitlines()))
        > (DAG_CEILING if _below(file, ("airflow/dags",)) else MODULE_CEILING)
    }
    assert not long


def test_no_function_is_longer_than_the_ceiling() -> None:
    long = {
        f"{file.relative_to(ROOT)}:{node.name}": node.end_lineno - node.lineno + 1
        for file in python_files()
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > FUNCTION_CEILING
    }
    assert not long


def test_nothing_shadows_a_library() -> None:
    names = [str(file.relative_to(ROOT)) for file in tracked()]
    assert not [name for name in names if name in SHADOWING]
    on_the_path = [Path(name) for name in names if re.match(r"(airflow/dags|dbt_project)/", name)]
    assert not [path for path in on_the_path if path.name in STANDARD_NAMES]
    dags = [path for path in on_the_path if path.parts[0] == "airflow"]
    assert not [path for path in dags if path.name.startswith("dbt_")]


def test_transforms_know_no_session_and_do_no_io() -> None:
    forbidden = re.compile(r"SparkSession|\.read\b|\.write\b|writeTo|open\(|\.sql\(")
    offenders = {
        str(file.relative_to(ROOT)): found.group()
        for file in python_files("spark_jobs/transforms")
        if (found := forbidden.search(file.read_text()))
    }
    assert not offenders


def test_millrace_imports_neither_airflow_nor_spark_at_module_level() -> None:
    offenders = {
        str(file.relative_to(ROOT))
        for file in python_files("millrace")
        if {"airflow", "pyspark"} & set(module_level_imports(file))
    }
    assert not offenders


def test_the_distribution_is_made_with_the_standard_library_alone() -> None:
    allowed = set(sys.stdlib_module_names) | {"millrace"}
    offenders = {
        str(file.relative_to(ROOT)): name
        for file in python_files("millrace/dist")
        for name in module_level_imports(file)
        if name not in allowed
    }
    assert not offenders


def test_dag_files_import_only_airflow_and_our_operators() -> None:
    allowed = {"__future__", "airflow", "millrace_airflow", "datetime", "pendulum"}
    offenders = {
        f"{file.relative_to(ROOT)}: {name}"
        for file in python_files("airflow/dags")
        for name in module_level_imports(file)
        if name not in allowed
    }
    assert not offenders


def test_no_file_names_a_registry_host_or_a_path_of_a_machine() -> None:
    # Written in pieces, so that this file does not offend its own rule.
    hosts = ["files.python" + "hosted.org", "repo1.maven" + ".org", "repo.maven." + "apache.org"]
    hosts += [
        "proxy." + "golang.org",
        "registry.npm" + "js.org",
        "pypi" + ".org",
        "/work/" + "main",
    ]
    offenders = [
        f"{file.relative_to(ROOT)}: {host}"
        for file in tracked()
        for host in hosts
        if host.encode() in file.read_bytes()
    ]
    assert not offenders


@pytest.mark.parametrize(
    "command",
    [["ruff", "check", "."], ["ruff", "format", "--check", "."]],
    ids=["ruff check", "ruff format"],
)
def test_the_code_is_linted_and_formatted(command: list[str]) -> None:
    run_clean([sys.executable, "-m", *command])


def test_our_packages_are_typed() -> None:
    ours = [package for package in PACKAGES if "airflow" not in package]
    known = cache_folder() / "mypy"  # it lasts longer than a clone
    options = ("--no-error-summary", "--cache-dir", str(known))
    run_clean([sys.executable, "-m", "mypy", *options, *ours])


def test_no_script_is_longer_than_the_ceiling() -> None:
    scripts = [file for file in tracked("scripts", "bin", "docker") if file.suffix != ".yml"]
    assert scripts
    lengths = {file.name: len(file.read_text().splitlines()) for file in scripts}
    assert not {name: lines for name, lines in lengths.items() if lines > MODULE_CEILING}


def test_shell_scripts_pass_shellcheck() -> None:
    scripts = [
        str(file)
        for file in tracked("scripts/*", "bin/*", ".ci/*")
        if file.read_bytes().startswith(b"#!") and b"sh" in file.read_bytes().split(b"\n")[0]
    ]
    assert scripts
    run_clean([str(Path(sys.executable).parent / "shellcheck"), "-x", *scripts])


def run_clean(command: list[str]) -> None:
    """Run a checker of the lake environment; its findings are the assertion's message."""
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
