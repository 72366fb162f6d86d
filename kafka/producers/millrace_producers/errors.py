"""What can be wrong with a file that is to be produced."""

from __future__ import annotations

from typing import Literal

from millrace.errors import MillraceError

#: What mends a row: its fault put right, the same or sending it all the same, or a command that
#: makes another file.
Remedy = Literal["mend", "mend_or_allow", "command"]


class FileError(MillraceError):
    """A file, or a line of it, that can not be sent; nothing of it was."""


class RowError(FileError):
    """One row of a file that does not fit the contract.

    Attributes:
        place: file and line (CSV, JSON lines) or file and row (Parquet).
        field: dotted name of the field at fault, empty for the whole row.
    """

    def __init__(
        self, place: str, field: str, cause: str, remedy: str, kind: Remedy = "mend"
    ) -> None:
        super().__init__(f"{place}: field {field}" if field else place, cause, remedy)
        self.place, self.field, self.kind = place, field, kind

    def __reduce__(self) -> tuple[type[RowError], tuple[str, str, str, str, Remedy]]:
        return type(self), (self.place, self.field, self.cause, self.remedy, self.kind)

    def then(self, command: str) -> RowError:
        """The same error, whose remedy is the command to run once the row is mended."""
        if self.kind == "command":
            return self
        remedy = f"{command}  # first {self.remedy}"
        if self.kind == "mend_or_allow":
            remedy += "; or send it into quarantine by --allow-bad"
        return RowError(self.place, self.field, self.cause, remedy, self.kind)
