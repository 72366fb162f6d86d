"""What maintenance refuses, and what it could not do."""

from __future__ import annotations

from collections.abc import Sequence

from millrace.errors import MillraceError, TransientError


class UnknownTableError(MillraceError):
    """A table that is asked for is not in the lake."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        cause = f"the lake has no such table; it has {', '.join(known) or 'none'}"
        super().__init__(f"table {name}", cause, "bin/millrace maintain --dry-run")


class ConflictError(TransientError):
    """A live writer was faster, as often as it was looked again."""

    def __init__(self, table: str, step: str, cause: str) -> None:
        super().__init__(
            f"{step} of {table}",
            f"others commit faster than it can: {cause}",
            f"bin/millrace maintain --table {table} --only {step}",
        )


class StoreError(TransientError):
    """A store or the metastore failed in the middle of a step."""

    def __init__(self, table: str, step: str, error: BaseException) -> None:
        said = " ".join(str(getattr(error, "message", None) or error).split())[:500]
        cause = f"{type(error).__name__}: {said}"
        remedy = f"make doctor  # then bin/millrace maintain --table {table} --only {step}"
        super().__init__(f"{step} of {table}", cause, remedy)


class NamesDifferError(MillraceError):
    """A table's files and its folder are named by two names of a store, or of two stores."""

    def __init__(self, table: str, location: str, path: str) -> None:
        super().__init__(
            f"orphans of {table}",
            f"its folder is {location}, and a live file of it is {path}: by another scheme or host"
            " its files would all look like orphans, so none is removed",
            f"bin/millrace maintain --table {table} --only compact,expire"
            "  # until all of its files are named as its folder is",
        )


class SharedFolderError(MillraceError):
    """Two tables live in one folder: what is no file of one may be a file of the other."""

    def __init__(self, table: str, location: str, other: str) -> None:
        super().__init__(
            f"orphans of {table}",
            f"{other} lives in the same folder, {location}, so no file there is removed",
            f"bin/millrace maintain --table {table} --only manifests,compact,expire"
            "  # never drop one of the two: that deletes the files of both",
        )
