"""Where copies live, and how they go: one namespace and one folder a store, ours alone.

The damaged copies must never be taken for data, so they are removed at the end, and at the next
start where a run was killed. Whatever is made or removed has to lie inside; `OutsideError` is a
defect of ours, raised before anything is touched.
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse

from pyiceberg.exceptions import (
    NamespaceAlreadyExistsError,
    NoSuchNamespaceError,
    NoSuchTableError,
)

from millrace.contracts.places import BUCKET, HDFS
from millrace.errors import MillraceError
from millrace.lake import LakeCatalog
from millrace.lake.io import LakeFileIO

NAMESPACE = "sabotage"
#: The tier of a raw table -> the folder of its store that copies are made in.
FOLDERS: Mapping[str, str] = {"hdfs": f"{HDFS}/data/{NAMESPACE}", "s3": f"{BUCKET}/{NAMESPACE}"}


class OutsideError(Exception):
    """Something that is not a copy was about to be changed."""


class BusyError(MillraceError):
    """Another run has the copies."""

    def __init__(self, lock: Path) -> None:
        super().__init__(
            "sabotage", "another run is under way", f"ps -ef  # it holds {lock} until it ends"
        )


@dataclass(frozen=True)
class Grounds:
    """The namespace and the folders of copies.

    Attributes:
        catalog: of the lake.
        folders: tier to the folder in its store.
        scratch: a local folder, for the copy of the ledger.
    """

    catalog: LakeCatalog
    scratch: Path
    folders: Mapping[str, str]

    def table(self, name: str) -> str:
        """The copy's identifier."""
        return f"{NAMESPACE}.{name}"

    def location(self, tier: str, name: str) -> str:
        """The copy's folder."""
        return f"{self.folders[tier]}/{name}"

    def require_inside(self, *things: str) -> None:
        """Make sure that tables and files are copies.

        Raises:
            OutsideError: for the first that is not.
        """
        inside = (f"{NAMESPACE}.", *(f"{folder}/" for folder in self.folders.values()))
        for thing in things:
            if not thing.startswith(inside) or ".." in thing:
                raise OutsideError(thing)

    def prepare(self) -> None:
        """Remove what a killed run left, and make the namespace."""
        self.clean()
        self.scratch.mkdir(parents=True)
        try:
            self.catalog.create_namespace(NAMESPACE, {"location": self.folders["hdfs"]})
        except NamespaceAlreadyExistsError:
            return

    def clean(self) -> None:
        """Remove every copy: tables, files, the namespace and the local folder."""
        try:
            for identifier in self.catalog.list_tables(NAMESPACE):
                drop(self.catalog, ".".join(identifier))
            self.catalog.drop_namespace(NAMESPACE)
        except NoSuchNamespaceError:
            pass
        io = LakeFileIO(self.catalog.properties)
        for folder in self.folders.values():
            store = io.get_fs(urlparse(folder).scheme)
            store.invalidate_cache()
            if store.exists(folder):
                store.rm(folder, recursive=True)
        shutil.rmtree(self.scratch, ignore_errors=True)


def drop(catalog: LakeCatalog, name: str) -> None:
    """Remove a copy from the catalog, if it is there; its files stay."""
    try:
        catalog.drop_table(name)
    except NoSuchTableError:
        return


def lake_grounds(catalog: LakeCatalog, home: Path) -> Grounds:
    """The grounds of a cluster."""
    return Grounds(catalog, home / NAMESPACE, FOLDERS)


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Have the copies for oneself; the lock goes with the process, however it ends.

    Raises:
        BusyError: another run has them.
    """
    path = home / f"{NAMESPACE}.lock"
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(path) from None
        yield
