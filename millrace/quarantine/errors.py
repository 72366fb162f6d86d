"""Why a record of quarantine can not be dealt with as asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from millrace.errors import MillraceError, TransientError

if TYPE_CHECKING:
    from millrace.quarantine.records import Position

#: More positions than these say nothing more.
SHOWN = 5


class NotQuarantinedError(MillraceError):
    """There is no such record in quarantine."""

    def __init__(self, position: Position, cause: str = "it is not in quarantine") -> None:
        super().__init__(
            f"record {position}", cause, "bin/millrace quarantine list  # lists the newest"
        )


class NotLandedYetError(MillraceError):
    """Records beyond what their raw table is landed up to: their batch is not finished."""

    def __init__(self, positions: Sequence[Position]) -> None:
        super().__init__(
            f"record {listed(positions)}",
            "the batch that quarantined it is not committed to the raw table yet",
            "bin/millrace landing start && bin/millrace landing wait  # then the same again",
        )


class PositionTakenError(MillraceError):
    """Records of a topic that is gone: the one of that name now gives their position away again."""

    def __init__(self, positions: Sequence[Position]) -> None:
        first = positions[0]
        super().__init__(
            f"record {listed(positions)}",
            "its position is another record's: the topic was created again, or cut off, since",
            f'bin/millrace quarantine discard {first} --reason "its topic is gone"',
        )


class StillBadError(MillraceError):
    """A corrected value that landing would refuse as well."""

    def __init__(self, file: str, dataset: str, reason: str, detail: str) -> None:
        super().__init__(
            file,
            f"the value is refused ({reason}): {detail}",
            f"bin/millrace datasets {dataset}  # says what its fields may be",
        )


class ValueFileError(MillraceError):
    """A file that holds no value."""

    def __init__(self, file: str, cause: str) -> None:
        super().__init__(file, cause, f"head -c 200 {file}  # one JSON record, or its exact bytes")


class InRawError(MillraceError):
    """Records that are in raw already can not be discarded."""

    def __init__(self, positions: Sequence[Position]) -> None:
        super().__init__(
            f"record {listed(positions)}",
            "it is in raw already: a replay was cut off before it could say so",
            f"bin/millrace quarantine replay {positions[0]}",
        )


class BusyError(TransientError):
    """Other writers were faster every time."""

    def __init__(self, table: str) -> None:
        super().__init__(
            f"table {table}",
            "others committed to it faster than this command, every time",
            "bin/millrace landing status  # then the same again: nothing is done twice",
        )


class TurnedBadError(MillraceError):
    """More of a stream is bad than its contract bears."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__(
            "quarantine",
            "too many records are bad: " + "; ".join(lines),
            "bin/millrace quarantine list --status open",
        )


class FencedError(TransientError):
    """Another command publishes the same dead letters; nothing was published twice."""

    def __init__(self, topic: str) -> None:
        super().__init__(
            f"topic {topic}",
            "another `quarantine publish` took over; what this one had begun is rolled back",
            "bin/millrace quarantine publish",
        )


def listed(positions: Sequence[Position]) -> str:
    """The first positions, and how many more there are."""
    more = len(positions) - SHOWN
    names = ", ".join(str(each) for each in positions[:SHOWN])
    return f"{names} and {more} more" if more > 0 else names
