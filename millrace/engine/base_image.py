"""The base image: the user's own choice, the registry's, or one made by Debian's own bootstrap.

One is made in the private engine alone, which nobody else builds with: it takes the name of the
official image, and is slimmed as that is.

The official image leaves documents and translations out, and so do packages that are installed
into it; sizes of images built on either are the same within a few megabytes.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from millrace.cluster.docker.engine import call
from millrace.engine.packages import Say
from millrace.errors import MillraceError

IMAGE = "debian:bookworm-slim"
SUITE = "bookworm"
#: Nobody reads these in a container; the licences stay.
LEFT_OUT = ("bug", "doc", "groff", "info", "linda", "lintian/overrides", "locale", "man")
KEPT = ("doc/*/copyright", "locale/locale.alias")
EMPTIED = ("var/lib/apt/lists", "var/cache", "var/log")
_PULL_SECONDS = 600.0


def ensure(environment: Mapping[str, str], say: Say, *, may_make: bool) -> None:
    """Have the base image: of the engine, of its registry, or made here.

    Args:
        environment: the variables by which the client reaches the engine; BASE_IMAGE is the name
            of another image than Debian's.
        say: told each step.
        may_make: whether an image of Debian's name may be made in this engine.

    Raises:
        MillraceError: it can neither be pulled nor made.
    """
    image = environment.get("BASE_IMAGE") or IMAGE
    if call("image", "inspect", image, environment=environment).returncode == 0:
        return
    say(f"pulling {image}")
    pulled = call("pull", "-q", image, timeout=_PULL_SECONDS, environment=environment)
    if pulled.returncode == 0:
        return
    reason = pulled.stderr.decode(errors="replace").strip().splitlines()[-1:]
    cause = f"no registry gives it ({' '.join(reason)})"
    if image != IMAGE or not may_make:
        remedy = f"docker pull {image}  # or name another Debian 12 by BASE_IMAGE"
        raise MillraceError(f"image {image}", cause, remedy)
    if shutil.which("debootstrap") is None:
        cause = f"{cause}, and debootstrap is not installed"
        raise MillraceError(f"image {image}", cause, "sudo apt-get install debootstrap")
    say(f"no registry gives {image}: making it from Debian's packages (half a minute)")
    _make(environment)


def _make(environment: Mapping[str, str]) -> None:
    # Not below /tmp, which may be a small memory disk or refuse device files.
    with tempfile.TemporaryDirectory(prefix="millrace-base-", dir="/var/tmp") as folder:
        root = Path(folder) / "root"
        _run(["debootstrap", "--variant=minbase", "--force-check-gpg", SUITE, str(root)], None)
        slim(root)
        archive = Path(folder) / "root.tar"
        _run(["tar", "--numeric-owner", "-C", str(root), "-cf", str(archive), "."], None)
        _run(["docker", "import", "-c", 'CMD ["bash"]', str(archive), IMAGE], environment)


def slim(root: Path) -> None:
    """Take out of a fresh system what nobody reads in a container, and name its sources."""
    share = root / "usr" / "share"
    keep = {path for pattern in KEPT for path in share.glob(pattern)}
    for name in LEFT_OUT:
        for path in sorted((share / name).rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink():
                if not any(path.iterdir()):
                    path.rmdir()
            elif path not in keep:
                path.unlink()
    for name in EMPTIED:
        for path in (root / name).rglob("*"):
            if path.is_file():
                path.unlink()
    rules = [f"path-exclude /usr/share/{name}/*\n" for name in LEFT_OUT]
    rules += [f"path-include /usr/share/{name}\n" for name in KEPT]
    (root / "etc/dpkg/dpkg.cfg.d/millrace").write_text("".join(rules))
    sources = root / "etc/apt/sources.list"
    kind, mirror, suite, *components = sources.read_text().split()
    rest = " ".join(components)
    sources.write_text(
        f"{kind} {mirror} {suite} {rest}\n"
        f"{kind} {mirror} {suite}-updates {rest}\n"
        f"{kind} {mirror}-security {suite}-security {rest}\n"
    )


def _run(command: list[str], environment: Mapping[str, str] | None) -> None:
    done = subprocess.run(
        command,
        env=dict(environment) if environment is not None else None,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        said = " | ".join(done.stdout.strip().splitlines()[-4:])
        cause = f"`{command[0]}` failed: {said}"
        raise MillraceError(f"image {IMAGE}", cause, f"docker pull {IMAGE}")
