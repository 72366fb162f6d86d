"""The machine lends its certificates, packages and registries, and loses nothing by it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from millrace.engine import base_image, packages
from millrace.engine.provide import BUILD_AUTHORITIES, authorities
from millrace.errors import MillraceError

ROOT = Path(__file__).resolve().parents[3]
Script = Callable[[str, str], None]


def test_a_machine_that_can_not_install_is_told_what_it_lacks(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "millrace.engine", "start"],
        cwd=ROOT,
        env={"PATH": str(empty), "XDG_CACHE_HOME": str(tmp_path)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "error: docker: there is no such command on PATH" in done.stderr
    assert "to mend it" in done.stderr
    assert done.stdout == ""


def test_the_authorities_of_the_machine_become_one_build_secret(tmp_path: Path) -> None:
    assert authorities(tmp_path, {}) == {}
    (tmp_path / "b.crt").write_text("second")
    (tmp_path / "a.crt").write_text("first\n")
    (tmp_path / "notes.txt").write_text("no certificate")
    assert authorities(tmp_path, {}) == {BUILD_AUTHORITIES: "first\nsecond\n"}
    # What the user has set goes first.
    assert authorities(tmp_path, {BUILD_AUTHORITIES: "mine"}) == {}


def test_a_made_base_image_lacks_documents_and_keeps_licences(tmp_path: Path) -> None:
    files = {
        "etc/apt/sources.list": "deb http://mirror/debian bookworm main\n",
        "etc/dpkg/dpkg.cfg.d/README": "",
        "usr/share/doc/bash/copyright": "GPL",
        "usr/share/doc/bash/NEWS": "new",
        "usr/share/locale/de/LC_MESSAGES/bash.mo": "hallo",
        "usr/share/zoneinfo/UTC": "time",
        "var/cache/apt/archives/bash.deb": "package",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    base_image.slim(tmp_path)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert {"usr/share/doc/bash/copyright", "usr/share/zoneinfo/UTC"} <= left
    gone = {"usr/share/doc/bash/NEWS", "usr/share/locale/de/LC_MESSAGES/bash.mo"}
    assert not left & (gone | {"var/cache/apt/archives/bash.deb"})
    assert "bookworm-security main" in (tmp_path / "etc/apt/sources.list").read_text()
    assert (
        "path-exclude /usr/share/man/*" in (tmp_path / "etc/dpkg/dpkg.cfg.d/millrace").read_text()
    )


def test_packages_are_installed_without_removing_any(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(
        "apt-get",
        'echo "$*" >> "$0.log"; [ $1 = update ] || { echo "E: to be removed" >&2; false; }',
    )
    monkeypatch.setenv("PATH", str(tmp_path / "tools"))
    said: list[str] = []
    with pytest.raises(MillraceError, match="E: to be removed") as failure:
        packages.install_packages(said.append)
    asked = (tmp_path / "tools" / "apt-get.log").read_text().splitlines()
    assert failure.value.remedy == f"apt-get {asked[1]}"
    assert {"install", "--no-remove", "docker.io", "iptables", "debootstrap"} <= set(
        asked[1].split()
    )
    assert said[0].startswith("installing docker.io, ")
    assert "they stay installed" in said[0]


@pytest.mark.parametrize("had_containerd", [False, True])
def test_services_that_systemd_started_are_stopped_but_not_the_users(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, had_containerd: bool
) -> None:
    for name in ("apt-get", "systemctl"):
        script(name, 'echo "$*" >> "$0.log"')
    if had_containerd:
        script("containerd", "")
    monkeypatch.setenv("PATH", str(tmp_path / "tools"))
    monkeypatch.setattr(packages, "_SYSTEMD", tmp_path)
    packages.install_packages(print)
    stopped = "disable --now docker.service docker.socket"
    if not had_containerd:
        stopped += " containerd.service"
    assert (tmp_path / "tools" / "systemctl.log").read_text() == f"{stopped}\n"


@pytest.mark.parametrize(
    ("chosen", "may_make"), [("", False), ("mirror.test/debian:12", False), ("mirror/d:12", True)]
)
def test_no_image_is_made_in_an_engine_of_others_or_for_a_chosen_name(
    script: Script, tmp_path: Path, chosen: str, *, may_make: bool
) -> None:
    script("docker", 'echo "$*" >> "$0.log"; echo "no such host" >&2; exit 1')
    script("debootstrap", 'echo "$*" >> "$0.log"')
    image = chosen or "debian:bookworm-slim"
    environment = {"PATH": str(tmp_path / "tools"), "BASE_IMAGE": chosen}
    with pytest.raises(MillraceError, match="no such host") as failure:
        base_image.ensure(environment, print, may_make=may_make)
    assert failure.value.remedy.startswith(f"docker pull {image} ")
    assert (tmp_path / "tools" / "docker.log").read_text().splitlines() == [
        f"image inspect {image}",
        f"pull -q {image}",
    ]
    assert not (tmp_path / "tools" / "debootstrap.log").exists()
