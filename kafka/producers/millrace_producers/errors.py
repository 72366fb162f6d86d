"""What can be wrong with a file that is to be produced."""

from __future__ import annotations

from millrace.errors import MillraceError


class FileError(MillraceError):
    """A file, or a line of it, that can not be sent; nothing of it was."""


class RowError(FileError):
    """One row of a file that does not fit the contract.

    Attributes:
        place: file and line (CSV, JSON lines) or file and row (Parquet).
        field: dotted name of the field at fault, empty for the whole row.
    """

    def __init__(self, place: str, field: str, cause: str, remedy: str) -> None:
        super().__init__(f"{place}: field {field}" if field else place, cause, remedy)
        self.place, self.field = place, field

    def __reduce__(self) -> tuple[type[RowError], tuple[str, str, str, str]]:
        return type(self), (self.place, self.field, self.cause, self.remedy)
