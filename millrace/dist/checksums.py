"""The checksums of what Maven delivers: one `sha256sum` list a unit, kept in the repository.

pip and Go check hashes of their own locks; Maven has none, so its files are compared here before
a unit is made of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from millrace.dist.errors import AGAIN, ChecksumError

SUFFIX = ".sha256"


def sha256(file: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read(listing: Path) -> dict[str, str]:
    """File name to checksum; a line is `<hash>  <name>`, as `sha256sum` writes it."""
    pairs = (line.split(maxsplit=1) for line in listing.read_text().splitlines() if line.strip())
    return {name.strip(): value for value, name in pairs}


def write(listing: Path, files: Sequence[Path]) -> None:
    """Write the list of these files, by name."""
    lines = sorted((file.name, sha256(file)) for file in files)
    listing.parent.mkdir(parents=True, exist_ok=True)
    listing.write_text("".join(f"{value}  {name}\n" for name, value in lines))


def verify(listing: Path, files: Sequence[Path]) -> None:
    """Compare delivered files with the list.

    A file that differs is moved aside, so that the next run asks for it again.

    Raises:
        ChecksumError: a file differs, is not in the list, or the list holds more.
    """
    wanted = read(listing)
    names = {file.name for file in files}
    for name in sorted(names ^ wanted.keys()):
        where = "is not in" if name in names else "was not delivered though it is in"
        raise ChecksumError(
            name,
            f"it {where} {listing.name}",
            "git status distribution  # a maintainer who changed"
            f" a pom runs {AGAIN} --update-checksums",
        )
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(sha256, files))
    wrong = [
        (file, value)
        for file, value in zip(files, found, strict=True)
        if wanted[file.name] != value
    ]
    for file, _ in wrong:
        file.rename(file.with_name(f"{file.name}.bad"))
    if wrong:
        file, value = wrong[0]
        raise ChecksumError(
            str(file),
            f"its SHA-256 is {value}, {listing.name} wants {wanted[file.name]};"
            f" it was renamed to {file.name}.bad",
            f"{AGAIN}  # it is fetched again",
        )
