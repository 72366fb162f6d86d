"""What may become of a table's columns: pure comparison of two Iceberg schemas.

A column may be added anywhere and widened as Iceberg allows (int to long, a decimal to more
digits). A column that is gone or narrower would break whoever reads it, so it is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from pyiceberg.schema import Schema
from pyiceberg.types import (
    DecimalType,
    IcebergType,
    IntegerType,
    ListType,
    LongType,
    NestedField,
    StructType,
)


@dataclass(frozen=True)
class Difference:
    """How a wanted schema differs from a table's.

    Attributes:
        added: dotted names of new columns.
        widened: of columns with a wider type, as `name: int -> long`.
        described: of columns with another comment.
        broken: sentences on what would break readers.
    """

    added: tuple[str, ...] = ()
    widened: tuple[str, ...] = ()
    described: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()

    def changes(self) -> list[str]:
        """What would be altered, in words."""
        words = [f"+ {name}" for name in self.added] + list(self.widened)
        if self.described:
            words.append(f"comments of {', '.join(self.described)}")
        return words


def compare(found: Schema, wanted: Schema, *, may_lack: frozenset[str] = frozenset()) -> Difference:
    """Compare a table's schema with the one that is wanted.

    Args:
        found: the table's.
        wanted: the contract's.
        may_lack: columns that the wanted schema may leave out.
    """
    before, after = dict(_columns(found.as_struct())), dict(_columns(wanted.as_struct()))
    added: list[str] = []
    widened: list[str] = []
    described: list[str] = []
    broken: list[str] = []
    for name, field in after.items():
        if name not in before:
            # A struct's own columns come with it.
            if not _within(name, added):
                added.append(name)
            continue
        old = before[name]
        kind = _change(old.field_type, field.field_type)
        shown = f"{name}: {_name(old.field_type)} -> {_name(field.field_type)}"
        if kind == "wider":
            widened.append(shown)
        elif kind == "other":
            broken.append(f"{shown} is no widening")
        elif field.doc and field.doc != old.doc:
            described.append(name)
    for name in before:
        if name not in after and name not in may_lack and not _within(name, may_lack):
            broken.append(f"the column {name} is gone")
    return Difference(tuple(added), tuple(widened), tuple(described), tuple(broken))


def _columns(struct: StructType, prefix: str = "") -> Iterator[tuple[str, NestedField]]:
    """Every column with its dotted name; the items of a list stand under the list's name."""
    for field in struct.fields:
        name = prefix + field.name
        yield name, field
        kind: IcebergType = field.field_type
        while isinstance(kind, ListType):
            kind = kind.element_type
        if isinstance(kind, StructType):
            yield from _columns(kind, f"{name}.")


def _change(old: IcebergType, new: IcebergType) -> str:
    """`same`, `wider` or `other`; the columns of a struct are compared one by one."""
    if isinstance(old, ListType) and isinstance(new, ListType):
        return _change(old.element_type, new.element_type)
    if isinstance(old, StructType) and isinstance(new, StructType):
        return "same"
    if old == new:
        return "same"
    return "wider" if _widens(old, new) else "other"


def _widens(old: IcebergType, new: IcebergType) -> bool:
    """Whether every old value is one of the new type.

    Not PyIceberg's `promote`: that of 0.12.0 lets a decimal's scale change.
    """
    if isinstance(old, DecimalType) and isinstance(new, DecimalType):
        return old.scale == new.scale and old.precision < new.precision
    return isinstance(old, IntegerType) and isinstance(new, LongType)


def _within(name: str, names: Collection[str]) -> bool:
    """Whether a column lies in one of those structs."""
    parents = name.split(".")
    return any(".".join(parents[:depth]) in names for depth in range(1, len(parents)))


def _name(kind: IcebergType) -> str:
    if isinstance(kind, ListType):
        return f"array of {_name(kind.element_type)}"
    return "struct" if isinstance(kind, StructType) else str(kind)
