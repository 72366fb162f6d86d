"""Make a unit's folder out of the files that Maven delivered."""

from __future__ import annotations

import os
import shutil
import tarfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

#: Trino's archive holds about fifty plugins. These are what the catalogs need, with those for
#: tables beside the lake; fewer plugins cut the start from minutes to 15 s.
TRINO_PLUGINS = frozenset(
    {
        *("iceberg", "hive", "memory", "tpch", "tpcds", "jmx", "mysql", "postgresql"),
        *("exchange-filesystem", "spooling-filesystem", "openlineage", "password-authenticators"),
        *("resource-group-managers", "session-property-managers"),
    }
)


#: Jars of the metastore's archive that S3's client brings newer. Java takes classes from either
#: when both are there, in no set order.
SUPERSEDED = ("netty-", "commons-codec-", "commons-logging-", "httpcore-")


def place(files: Iterable[Path], folder: Path) -> None:
    """Put files into a folder: as hard links where the file system allows, else as copies."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        target = folder / file.name
        try:
            os.link(file, target)
        except FileExistsError:
            continue
        except OSError:
            shutil.copyfile(file, target)


def unpack(archive: Path, folder: Path, strip: int = 0) -> None:
    """Unpack a tar archive, leaving out leading folders; hard links stay hard links."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as tar:
        # Checked by its SHA-256 before: the filter only keeps owners of another machine out.
        tar.extraction_filter = getattr(tarfile, "tar_filter", lambda member, _: member)
        for member in tar:
            parts = member.name.removeprefix("./").split("/")[strip:]
            if not any(parts):
                continue
            member.name = "/".join(parts)
            if member.islnk():
                member.linkname = "/".join(member.linkname.removeprefix("./").split("/")[strip:])
            tar.extract(member, folder, set_attrs=not member.isdir())


def hadoop(files: Sequence[Path], folder: Path) -> None:
    """The jars, and the web pages out of the tests jar."""
    tests = [file for file in files if file.name.endswith("-tests.jar")]
    place((file for file in files if file not in tests), folder / "jars")
    for jar in tests:
        with zipfile.ZipFile(jar) as archive:
            pages = [name for name in archive.namelist() if name.startswith("webapps/")]
            for page in pages:
                archive.extract(page, folder / "webroot")


def metastore(files: Sequence[Path], folder: Path) -> None:
    """The archive's own jars, its schema scripts, and what S3 needs."""
    archive = next(file for file in files if file.name.endswith(".tar.gz"))
    whole = folder / "archive"
    unpack(archive, whole, strip=1)
    (whole / "scripts").rename(folder / "scripts")
    own = sorted((whole / "lib").glob("*.jar"))
    place((jar for jar in own if not jar.name.startswith(SUPERSEDED)), folder / "jars")
    shutil.rmtree(whole)
    place((file for file in files if file != archive), folder / "jars")


def postgres(files: Sequence[Path], folder: Path) -> None:
    """`bin`, `lib` and `share`: a jar holds them as a tar archive."""
    with zipfile.ZipFile(files[0]) as jar:
        name = next(name for name in jar.namelist() if name.endswith(".txz"))
        inner = Path(jar.extract(name, folder / "jar"))
    unpack(inner, folder)
    shutil.rmtree(folder / "jar")


def registry(files: Sequence[Path], folder: Path) -> None:
    """The application's folder."""
    unpack(files[0], folder)


def trino(files: Sequence[Path], folder: Path) -> None:
    """The server with the plugins of `TRINO_PLUGINS`; a jar in several is one file."""
    unpack(files[0], folder, strip=1)
    for plugin in (folder / "plugin").iterdir():
        if plugin.name not in TRINO_PLUGINS:
            shutil.rmtree(plugin)


def kafka(files: Sequence[Path], folder: Path) -> None:
    """The jars."""
    place(files, folder / "jars")
