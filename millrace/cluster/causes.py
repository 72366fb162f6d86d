"""Why a service did not start: known lines of its log, what they mean and what mends it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from millrace.errors import MillraceError

#: As much of a log as a failing start writes.
_TAIL_BYTES = 64 * 1024
#: Lines of a log that an error shows.
LOG_LINES = 15

#: What shows where the room of the state folder has gone.
MAKE_ROOM = 'du -sh "${MILLRACE_HOME:-.millrace}"/*  # make room, or make destroy'


@dataclass(frozen=True)
class Cause:
    """A pattern of a log line, its meaning and its remedy."""

    pattern: str
    meaning: str
    remedy: str


KNOWN = (
    Cause(
        r"Address already in use|BindException|could not bind|address in use",
        "one of its ports is held by another process",
        "make doctor",
    ),
    Cause(
        r"No space left on device|DiskOutOfSpace|[Dd]isk quota exceeded",
        "the disk is full",
        MAKE_ROOM,
    ),
    Cause(
        r"Cannot allocate memory|insufficient memory for the Java|unable to create native thread",
        "the machine has no memory left",
        "cat /proc/meminfo  # end other programs; then make up",
    ),
    Cause(
        r"OutOfMemoryError",
        "its heap is too small",
        "make down && MILLRACE_TIER=standard make up  # the larger sizes need 16 GiB",
    ),
    Cause(
        r"UnsupportedClassVersionError|Unrecognized VM option|Unrecognized option",
        "the Java runtime is of the wrong version",
        "make doctor",
    ),
    Cause(
        r"No such file or directory|ClassNotFoundException|NoClassDefFoundError|Could not find or",
        "a part of the distribution is missing",
        "make install",
    ),
    Cause(
        r"password authentication failed|AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch",
        "its password is not the one its data was made with",
        "make destroy  # deletes the data; or restore the folder `secrets` of the state folder",
    ),
    Cause(
        r"InconsistentClusterId|Incompatible clusterIDs|Inconsistent namespace|Invalid cluster\.id",
        "its data belongs to another cluster",
        "make destroy  # or restore the whole state folder",
    ),
    Cause(
        r"Permission denied|AccessDeniedException|Operation not permitted",
        "it may not read or write its folder",
        "make doctor  # the state folder must belong to you",
    ),
    Cause(
        r"[Cc]orrupt|checksum error|database files are incompatible|PANIC",
        "its data is damaged",
        "make destroy  # or restore the state folder from a copy",
    ),
    Cause(
        r"Connection refused|ConnectException|could not connect|UnknownHostException",
        "it does not reach another service",
        "make status",
    ),
)


def tail(log: Path, lines: int) -> list[str]:
    """The last lines of a log; none when there is no log."""
    try:
        with log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return [line for line in text.splitlines() if line.strip()][-lines:]


def likely_cause(lines: Sequence[str]) -> Cause | None:
    """The first known cause that any of the lines shows."""
    text = "\n".join(lines)
    return next((cause for cause in KNOWN if re.search(cause.pattern, text)), None)


class ServiceError(MillraceError):
    """A service that can not start, with the end of its log."""


def explain(service: str, cause: str, lines: Sequence[str]) -> ServiceError:
    """The error of a service that ends its log with these lines."""
    known = likely_cause(lines)
    if known:
        cause += f", probably because {known.meaning}"
    shown = "".join(f"\n    {line[:300]}" for line in lines)
    return ServiceError(
        f"service {service}",
        f"{cause}; the last lines of its log:{shown}",
        known.remedy if known else f"make logs SERVICE={service}",
    )
