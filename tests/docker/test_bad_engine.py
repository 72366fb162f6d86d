"""What is said of an engine that can not run the cluster: one golden file a case."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from millrace.cluster.docker import preflight
from millrace.cluster.docker.build import build
from millrace.cluster.docker.engine import find_engine
from millrace.cluster.docker.plan import Plan
from millrace.cluster.docker.runtime import DockerRuntime
from millrace.errors import MillraceError
from millrace.settings import ROOT
from tests.docker.golden import expect
from tests.docker.small import Clone, silent

NOBODY = 65_534


def refused(clone: Clone, **environment: str) -> str:
    """What `millrace up` says on standard error where it fails."""
    done = subprocess.run(
        [ROOT / "bin" / "millrace", "up"],
        env={**os.environ, "MILLRACE_HOME": str(clone.home), **environment},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    return done.stderr


def path_with(folder: Path, client: str) -> str:
    """A PATH whose `docker` is another program, and that has what bin/millrace needs."""
    folder.mkdir()
    (folder / "docker").write_text(client)
    (folder / "docker").chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def plan(clone: Clone) -> Plan:
    runtime = DockerRuntime(clone.settings())
    return Plan(runtime.project, find_engine(), runtime.project.config(), runtime._containers())


def test_no_client(clone: Clone, tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("sh", "dirname"):
        (folder / tool).symlink_to(str(shutil.which(tool)))
    expect("no_client", refused(clone, PATH=str(folder)))


def test_no_engine(clone: Clone, tmp_path: Path) -> None:
    where = f"unix://{tmp_path}/docker.sock"
    expect("no_engine", refused(clone, DOCKER_HOST=where), socket=where)


def test_an_engine_without_permission(clone: Clone, tmp_path: Path) -> None:
    """A socket that is closed to its users; root is nobody for the moment of the call."""
    folder = Path("/tmp", f"millrace-closed-{os.getpid()}")
    folder.mkdir(mode=0o755)
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(folder / "docker.sock"))
            server.listen()
            (folder / "docker.sock").chmod(0)
            client = str(shutil.which("docker"))
            become = f"setpriv --reuid={NOBODY} --clear-groups " if os.getuid() == 0 else ""
            path = path_with(tmp_path / "bin", f'#!/bin/sh\nexec {become}{client} "$@"\n')
            where = f"unix://{folder}/docker.sock"
            said = refused(clone, DOCKER_HOST=where, PATH=path, DOCKER_CONFIG=str(folder))
    finally:
        shutil.rmtree(folder)
    expect("no_permission", said, socket=where)


def test_no_compose(clone: Clone, tmp_path: Path) -> None:
    """Whatever plugins the machine has, the client finds none that is called compose."""
    client = shutil.which("docker")
    program = f'#!/bin/sh\n[ "$1" = compose ] && set -- composed "$@"\nexec {client} "$@"\n'
    expect("no_compose", refused(clone, PATH=path_with(tmp_path / "bin", program)))


@pytest.mark.parametrize(
    ("version", "overlay", "golden"),
    [("1.29.2", "none", "old_compose"), ("2.23.3", "starburst", "old_compose_for_starburst")],
)
def test_an_old_compose(
    clone: Clone, tmp_path: Path, version: str, overlay: str, golden: str
) -> None:
    plugin = tmp_path / "config" / "cli-plugins" / "docker-compose"
    plugin.parent.mkdir(parents=True)
    about = f'{{"SchemaVersion":"0.1.0","Vendor":"Docker Inc.","Version":"{version}"}}'
    plugin.write_text(
        "#!/bin/sh\n"
        f"[ \"$1\" = docker-cli-plugin-metadata ] && echo '{about}' && exit\n"
        f"echo {version}\n"
    )
    plugin.chmod(0o755)
    said = refused(clone, DOCKER_CONFIG=str(tmp_path / "config"), OVERLAY=overlay)
    expect(golden, said)


def test_a_port_that_another_container_publishes(clone: Clone, tmp_path: Path) -> None:
    other = Clone(tmp_path / "other", f"other-{os.getpid()}")
    port = other.settings().trino.port
    runtime = DockerRuntime(other.settings())
    runtime.up((), 60, silent)
    try:
        (problem,) = preflight.check_ports(plan(clone))
        name = f"{runtime.project.name}-trino-1"
        expect("port_in_use", problem, port=port, container=name)
    finally:
        runtime.project.take_down("--volumes")


def test_too_little_memory_in_the_engine(clone: Clone) -> None:
    small = replace(find_engine(), memory_mib=2_048, is_here=False)
    (problem,) = preflight.check_memory(replace(plan(clone), engine=small))
    expect("memory", problem)
    enough = replace(small, memory_mib=6_144)
    (warning,) = preflight.check_memory(replace(plan(clone), engine=enough))
    assert warning.is_warning


def test_a_full_disk_of_the_engine(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = 1 << 30

    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage)
    engine = replace(find_engine(), is_here=True, folder=str(clone.root))
    (problem,) = preflight.check_disk(replace(plan(clone), engine=engine))
    expect("disk_full", problem, folder=clone.root)


def test_an_image_that_is_not_built(clone: Clone) -> None:
    clone.write(image="millrace/never-built:dev")
    (problem,) = preflight.check_images(plan(clone))
    expect("missing_image", problem)


def test_a_volume_of_an_older_version_is_left_alone(clone: Clone) -> None:
    runtime = DockerRuntime(clone.settings())
    runtime.up((), 60, silent)
    runtime.down()
    clone.write(layout=2)
    with pytest.raises(MillraceError) as caught:
        runtime.up((), 60, silent)
    expect("older_volume", caught.value, project=runtime.project.name)
    clone.write()
    assert runtime.up((), 60, silent)


def test_a_clone_that_the_containers_can_not_read(clone: Clone) -> None:
    folder = clone.root / "contracts"
    (folder / "orders.yaml").chmod(0o600)
    engine = replace(find_engine(), is_here=True)
    (problem,) = preflight.check_files(replace(plan(clone), engine=engine))
    expect("closed_clone", problem, clone=clone.root)
    subprocess.run(["sh", "-c", problem.remedy], check=True)
    assert not list(preflight.check_files(replace(plan(clone), engine=engine)))


def test_a_metastore_is_not_moved_to_another_database(clone: Clone) -> None:
    """Its tables would seem to be gone."""
    runtime = DockerRuntime(clone.settings())
    runtime.up((), 60, silent)
    (clone.root / "docker").mkdir()
    (clone.root / "docker" / "compose.mysql.yml").write_text(
        "services: { trino: { volumes: [mariadb:/data] } }\nvolumes: { mariadb: {} }\n"
    )
    with pytest.raises(MillraceError) as caught:
        DockerRuntime(clone.settings(), ["mysql"]).up((), 60, silent)
    expect("other_metastore", caught.value)


def test_blocks_of_the_profile_scale_are_not_left_behind(clone: Clone) -> None:
    runtime = DockerRuntime(clone.settings())
    runtime.up(("scale",), 60, silent)
    # While they run, nothing is missing.
    assert "datanode-2" in runtime.up((), 60, silent)
    runtime.down()
    with pytest.raises(MillraceError) as caught:
        runtime.up((), 60, silent)
    expect("scale_data", caught.value)


def test_a_failed_build_step(clone: Clone) -> None:
    (clone.root / "Dockerfile").write_text(
        "FROM debian:bookworm-slim AS base\n"
        "FROM base AS trino\n"
        "RUN echo fetching the server && echo the archive is damaged && exit 7\n"
    )
    document = (clone.root / "docker-compose.yml").read_text()
    services = (
        "services:\n  built: { image: millrace-test/b, build: { context: ., target: trino } }"
    )
    (clone.root / "docker-compose.yml").write_text(document.replace("services:", services, 1))
    with pytest.raises(MillraceError) as caught:
        build(clone.settings())
    expect("failed_build", caught.value, home=clone.home)
