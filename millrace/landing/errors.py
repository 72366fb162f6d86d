"""Why landing refuses to start or stops, each with the command that mends it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from millrace.errors import MillraceError, TransientError

#: Offsets that a cause names, and positions that a command does.
SHOWN, AT_ONCE = 5, 20


class TableMissingError(MillraceError):
    """A contract's table is not there, or lacks a column of the contract."""

    def __init__(self, table: str, cause: str = "there is no such table") -> None:
        super().__init__(f"table {table}", cause, "make apply")


class TopicMissingError(MillraceError):
    """A contract's topic is not there."""

    def __init__(self, topic: str) -> None:
        super().__init__(f"topic {topic}", "the broker has no such topic", "make apply")


class GateError(MillraceError):
    """Table and log disagree: landing from here would lose or double records."""

    def __init__(self, dataset: str, topic: str, cause: str, remedy: str | None = None) -> None:
        reset = f"bin/millrace landing reset {dataset}"
        super().__init__(f"landing {dataset}: topic {topic}", cause, remedy or reset)


class TopicRecreatedError(GateError):
    """The topic is another one than the one the table was landed from."""


class OffsetsAgedOutError(GateError):
    """The log no longer has records that the table does not have yet."""


class OffsetsAheadError(GateError):
    """The table has landed offsets that the log does not have."""


class QuarantineBehindError(GateError):
    """The quarantine table has lost rows that it had: it was rolled back, or made anew."""


class ReplayRolledBackError(GateError):
    """The raw table has lost records that were replayed into it: it was rolled back."""

    def __init__(
        self, dataset: str, topic: str, table: str, places: Sequence[tuple[int, int]]
    ) -> None:
        partition = places[0][0]
        shown = [offset for part, offset in places if part == partition][:SHOWN]
        named = f"{'offsets' if len(shown) > 1 else 'offset'} {', '.join(map(str, shown))}"
        more = f" (and {len(places) - len(shown)} more)" if len(places) > len(shown) else ""
        cause = (
            f"{table} no longer has what was replayed at {named} of partition {partition}{more}:"
            " it was rolled back behind the replay"
        )
        positions = " ".join(f"{topic}:{part}:{offset}" for part, offset in places[:AT_ONCE])
        left = len(places) - AT_ONCE
        then = f"  # then {left} more: landing names them" if left > 0 else ""
        super().__init__(dataset, topic, cause, f"bin/millrace quarantine replay {positions}{then}")


class FileMissingError(MillraceError):
    """A table's file is not there, so what the table holds can not be told."""

    def __init__(self, table: str, cause: str) -> None:
        super().__init__(
            f"table {table}",
            f"a file of it is missing ({cause})",
            "bin/millrace verify  # names every file that is; restore it, or roll the table back",
        )


class OffsetsLostError(MillraceError):
    """No kept snapshot of a table tells how far it is landed."""

    def __init__(self, table: str) -> None:
        super().__init__(
            f"table {table}",
            "no kept snapshot tells how far it is landed: an expiry has cut its history behind"
            " another engine's commit",
            "bin/millrace landing rebuild",
        )


class RowsOfAnotherLogError(MillraceError):
    """A table's rows are not what the log has at their positions."""

    def __init__(self, table: str, topic: str, partition: int, offset: int) -> None:
        super().__init__(
            f"table {table}",
            f"its row at offset {offset} of partition {partition} is not the record that the topic"
            f" {topic} has there, so its rows do not tell how far it is landed",
            "bin/millrace verify  # lists the records that differ",
        )


class LandingTroubleError(MillraceError):
    """Something is wrong between tables and log, or soon will be."""

    def __init__(self, texts: Sequence[str], remedy: str) -> None:
        more = f", and {len(texts) - 1} more" if len(texts) > 1 else ""
        super().__init__("landing", f"{texts[0]}{more}", remedy)


class TakenOverError(TransientError):
    """Another driver has landed what this one was about to land. Nothing was doubled."""

    def __init__(self, tables: Iterable[str]) -> None:
        names = ", ".join(sorted(tables))
        super().__init__(
            f"landing into {names}",
            "another writer has moved the offsets; the batch is dropped and planned anew",
            "bin/millrace landing status",
        )


class BrokerUnreachableError(TransientError):
    """Kafka did not answer."""

    def __init__(self, address: str, cause: str) -> None:
        super().__init__(f"Kafka at {address}", cause, "make status")


class LandingBehindError(MillraceError):
    """Records of the log have not landed in time."""

    def __init__(self, behind: Mapping[str, int], waited_s: float) -> None:
        named = ", ".join(f"{topic} {count}" for topic, count in behind.items() if count)
        super().__init__(
            "landing",
            f"after {waited_s:g} s these topics still are behind: {named}",
            "bin/millrace landing status",
        )


class NotLandingError(MillraceError):
    """No landing application runs."""

    def __init__(self, cause: str = "no landing application is running") -> None:
        super().__init__("landing", cause, "bin/millrace landing start")
