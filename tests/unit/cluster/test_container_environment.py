"""A container has every variable that its service reads, and a place for what it writes.

Natively every process gets every setting, so a variable that the compose file forgets is missed
in Docker alone. What a service reads is found in the text of its launcher, of the functions that
this one calls, and of its configuration.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import pytest

from millrace.cluster.compose import read_compose
from millrace.settings import ROOT

HOME = "/var/lib/millrace"
#: service -> folders of `config` that it reads
CONFIGURATION = {
    "postgres": ["postgres"],
    "kafka": ["kafka"],
    "namenode": ["hadoop"],
    "datanode": ["hadoop"],
    "datanode-2": ["hadoop"],
    "datanode-3": ["hadoop"],
    "resourcemanager": ["hadoop"],
    "nodemanager": ["hadoop", "spark"],
    "metastore": ["hadoop", "metastore"],
    "trino": ["hadoop", "trino"],
    "trino-worker": ["hadoop", "trino"],
    "history-server": ["hadoop", "spark"],
}
#: They keep nothing of their own.
STATELESS = {"secrets", "lake-init", "registry", "history-server", "trino-worker"}
#: Made by the launchers from the settings, or for one runtime alone.
MADE = re.compile(
    r"MILLRACE_(SECRET_\w+|SERVICE|PYTHON|LOG_FILE|CONTAINER_ENVIRONMENT|KAFKA__DATA"
    r"|METASTORE__(URL|DRIVER)|MARIADB__\w+)"
)
VARIABLE = re.compile(r"\bMILLRACE_[A-Z0-9]\w*(?!\w)(?!:-)")


@pytest.fixture
def services() -> dict[str, dict[str, Any]]:
    found = read_compose(ROOT / "docker-compose.yml", {})["services"]
    assert isinstance(found, dict)
    return found


FUNCTION = re.compile(r"^([\w-]+)\(\) \{(?:([^\n]*)\}$|[^\n]*\n(.*?)^\})", re.MULTILINE | re.DOTALL)


def launcher() -> str:
    """The launcher with the files that it reads, without comments."""
    text = "\n".join(file.read_text() for file in sorted((ROOT / "scripts").glob("launch*")))
    return re.sub(r"(^|\s)#.*", "", text)


def calls(name: str, code: str) -> bool:
    """Whether a function is called: its name stands where a command does."""
    return bool(
        re.search(rf"(^[ \t]*|\(|&& |\|\| |\) ){re.escape(name)}(?=[\s)]|$)", code, re.MULTILINE)
    )


@cache
def code_of(service: str) -> str:
    """What the launcher runs for a service: its branch and every function called from there."""
    text = launcher()
    functions = {name: short or long for name, short, long in FUNCTION.findall(text)}
    # What stands outside of functions is run for every service.
    start, branches = FUNCTION.sub("", text).split("case $service in")
    branches = branches.split("esac")[0].replace("\\\n", "")
    for branch in branches.split(";;"):
        names, _, body = branch.partition(")")
        if any(fnmatchcase(service, name.strip()) for name in names.split("|")):
            code = start + body.replace('"$service"', service)
            break
    else:
        raise AssertionError(f"the launcher knows no service {service}")
    done: set[str] = set()
    while new := {name for name in functions if name not in done and calls(name, code)}:
        done |= new
        code += "\n".join(["", *(functions[name] for name in new)])
    return code


@cache
def read_by(service: str) -> set[str]:
    """The variables that a service can not do without."""
    texts = [code_of(service)]
    for folder in CONFIGURATION.get(service, []):
        texts += [f.read_text() for f in (ROOT / "config" / folder).rglob("*") if f.is_file()]
    return {name for text in texts for name in VARIABLE.findall(text) if not MADE.fullmatch(name)}


def missing(services: dict[str, dict[str, Any]]) -> dict[str, set[str]]:
    """Service to the variables that it reads and is not given."""
    found = {
        name: read_by(command[1] if (command := service["command"])[1] in services else name)
        - service["environment"].keys()
        for name, service in services.items()
    }
    return {name: variables for name, variables in found.items() if variables}


def test_every_container_has_the_variables_that_its_service_reads(
    services: dict[str, dict[str, Any]],
) -> None:
    assert not missing(services)


@pytest.mark.parametrize(
    ("service", "variable"),
    [
        ("trino", "MILLRACE_TRINO__HEAP"),
        ("trino-worker", "MILLRACE_TRINO__HEADROOM"),
        ("metastore", "MILLRACE_POSTGRES__HOST"),
        ("namenode", "MILLRACE_NAMENODE__PORT"),
        ("datanode", "MILLRACE_DATANODE__HEAP"),
        ("datanode-2", "MILLRACE_DATANODE__ADVERTISED"),
        ("resourcemanager", "MILLRACE_RESOURCEMANAGER__HEAP"),
        ("nodemanager", "MILLRACE_YARN__MEMORY_MB"),
        ("kafka", "MILLRACE_KAFKA__LISTENERS"),
        ("registry", "MILLRACE_REGISTRY__PORT"),
        ("objectstore", "MILLRACE_OBJECTSTORE__MEMORY"),
        ("history-server", "MILLRACE_HISTORY__HEAP"),
        ("airflow-scheduler", "MILLRACE_POSTGRES__PORT"),
    ],
)
def test_a_variable_that_is_missing_is_found(
    services: dict[str, dict[str, Any]], service: str, variable: str
) -> None:
    # The anchors of the file are one object for many services.
    environment = dict(services[service]["environment"])
    del environment[variable]
    services[service] = services[service] | {"environment": environment}
    assert missing(services)[service] == {variable}


def test_every_service_with_a_state_has_a_volume_of_its_own(
    services: dict[str, dict[str, Any]],
) -> None:
    owners: dict[str, str] = {}
    for name, service in services.items():
        mounts = dict(volume.split(":")[:2] for volume in service.get("volumes", []))
        if name.startswith("airflow"):
            assert mounts["airflow"] == HOME
        elif name in STATELESS:
            assert f"{HOME}/data" not in mounts.values(), name
        else:
            assert mounts[name] == f"{HOME}/data", name
            assert owners.setdefault(name, name) == name
        if calls("secret", code_of(service["command"][1])) or name == "nodemanager":
            assert mounts["secrets"] == f"{HOME}/secrets", name
