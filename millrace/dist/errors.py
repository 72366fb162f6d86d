"""What can go wrong while the distribution is fetched, each with its remedy."""

from __future__ import annotations

import errno
import re
import shlex
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from millrace.errors import MillraceError, TransientError

AGAIN = "python3 -m millrace.dist"
MEGABYTE = 1_000_000
ROOM = f"free some space, or set XDG_CACHE_HOME to a larger disk; then {AGAIN}"

FULL = re.compile(r"No space left on device|Disk quota exceeded", re.IGNORECASE)
CORRUPT = re.compile(
    r"DO NOT MATCH THE HASHES|checksum mismatch|SECURITY ERROR|Checksum validation failed",
    re.IGNORECASE,
)
UNTRUSTED = re.compile(r"PKIX path|certificate.verify.failed|x509: ", re.IGNORECASE)
UNREACHABLE = re.compile(
    r"Could not resolve host|name resolution|Name or service not known|UnknownHost|no such host"
    r"|unknown host|Connection refused|Network is unreachable|No route to host|timed? ?out"
    r"|Failed to establish a new connection|connection reset|dial tcp|Could not transfer artifact",
    re.IGNORECASE,
)
#: The line in which a client says its reason: one it marks itself, else one that sounds like it.
MARKED = re.compile(r"^\[?(?:ERROR|error)\b\W*(?=\w)")
TELLING = re.compile(r"error|failed|cannot|could not|denied|refused|not found", re.IGNORECASE)
#: Maven's advice to those who run it by hand.
ADVICE = re.compile(r"^\[ERROR\] (?:\[Help|Re-run|To see|For more|After correcting|  mvn)|^$")
LONGEST = 300


class UnknownUnitError(MillraceError):
    """A unit that is not in the table."""


class MissingToolError(MillraceError):
    """The machine lacks something that it has to bring, or has the wrong version of it."""


class WrongJavaError(MillraceError):
    """A Java that was named explicitly is not of the wanted version."""


class ChecksumError(MillraceError):
    """A delivered file is not the one whose checksum the repository holds."""


class DiskFullError(MillraceError):
    """There is no room for a unit."""


class DownloadError(TransientError):
    """A registry could not be reached or broke off."""


class BuildError(MillraceError):
    """A client of a registry failed for another reason."""


class OfflineError(MillraceError):
    """A unit is missing and downloads were ruled out."""


def disk_full(place: Path, needed: int = 0) -> DiskFullError:
    """The error of a file system without room: what is left of it, and what is needed in bytes."""
    existing = next(folder for folder in (place, *place.parents) if folder.exists())
    wanted = f", {needed // MEGABYTE} MB are needed" if needed else ""
    free = shutil.disk_usage(existing).free // MEGABYTE
    return DiskFullError(
        str(place),
        f"the disk is full ({free} MB are free{wanted})",
        f"df -h {shlex.quote(str(existing))}  # {ROOM}",
    )


@contextmanager
def disk_errors(place: Path) -> Iterator[None]:
    """Turn the operating system's refusals to write below `place` into errors with a remedy."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise disk_full(place) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise BuildError(
                str(error.filename or place),
                (error.strerror or str(error)).lower(),
                f"ls -ld {shlex.quote(str(error.filename or place))}  # make it yours, or set "
                f"XDG_CACHE_HOME and MILLRACE_HOME to folders of your own; then {AGAIN}",
            ) from error
        raise


def _reason(lines: Sequence[str], pattern: re.Pattern[str]) -> str:
    """The line that says why, of those that fit; one that the client marked goes first."""
    marked = [line for line in lines if MARKED.search(line)]
    fitting = [line for line in (*marked, *lines) if pattern.search(line)]
    told = MARKED.sub("", (fitting or marked or lines[-1:])[0])
    match = pattern.search(told)
    if len(told) > LONGEST and match:
        told = told[match.start() :]
    return told[:LONGEST]


def explain(unit: str, program: str, tail: Sequence[str], log: Path) -> MillraceError:
    """Say why a registry's client failed, from the end of what it printed."""
    text = "\n".join(tail)
    lines = [line.strip() for line in tail if not ADVICE.search(line)] or ["it said nothing"]
    if FULL.search(text):
        return DiskFullError(
            unit, f"{program} found the disk full ({_reason(lines, FULL)})", f"df -h  # {ROOM}"
        )
    if CORRUPT.search(text):
        return ChecksumError(
            unit,
            f"{program} received a file that is not the pinned one ({_reason(lines, CORRUPT)})",
            f"{AGAIN}  # once more; if it repeats, something between you and the registry changes "
            f"files (whole output: {log})",
        )
    if UNTRUSTED.search(text):
        return DownloadError(
            unit,
            f"{program} does not trust its registry's certificate ({_reason(lines, UNTRUSTED)})",
            f"sudo update-ca-certificates  # after putting your network's own authority into "
            f"/usr/local/share/ca-certificates; then {AGAIN}",
        )
    if UNREACHABLE.search(text):
        return DownloadError(
            unit,
            f"{program} could not reach its registry ({_reason(lines, UNREACHABLE)})",
            f"{AGAIN}  # when the network is back; what has arrived is kept",
        )
    return BuildError(
        unit, f"{program} failed: {_reason(lines, TELLING)}", f"tail -n 60 {shlex.quote(str(log))}"
    )
