"""What may become of a table's columns: pure comparison of two Iceberg schemas.

A column may be added anywhere, widened as Iceberg allows (int to long, float to double, a decimal
to more digits), and renamed where the contract names its former name; it keeps its field id then,
so files written before are read under the new name. A column that is gone or narrower would break
whoever reads it, so it is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pyiceberg.schema import Schema
from pyiceberg.types import (
    DecimalType,
    DoubleType,
    FloatType,
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
        renamed: dotted former name and new name of columns, outermost first.
        added: dotted names of new columns.
        widened: of columns with a wider type, as `name: int -> long`.
        described: of columns with another comment.
        broken: sentences on what would break readers.
    """

    renamed: tuple[tuple[str, str], ...] = ()
    added: tuple[str, ...] = ()
    widened: tuple[str, ...] = ()
    described: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()

    def structure(self) -> list[str]:
        """What would become of columns, in words."""
        words = [f"{former} is renamed to {name}" for former, name in self.renamed]
        return words + [f"+ {name}" for name in self.added] + list(self.widened)

    def changes(self) -> list[str]:
        """What would be altered, comments too, in words."""
        words = self.structure()
        if self.described:
            words.append(f"comments of {', '.join(self.described)}")
        return words


def compare(
    found: Schema,
    wanted: Schema,
    *,
    may_lack: frozenset[str] = frozenset(),
    aliases: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
) -> Difference:
    """Compare a table's schema with the one that is wanted.

    Args:
        found: the table's.
        wanted: the contract's.
        may_lack: columns that the wanted schema may leave out.
        aliases: dotted name of a wanted column to the last parts of its former names.
    """
    renamed: list[tuple[str, str]] = []
    struct = _with_new_names(found.as_struct(), aliases, "", "", renamed)
    before, after = dict(_columns(struct)), dict(_columns(wanted.as_struct()))
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
            broken.append(f"the column {name} is gone{_perhaps_renamed(name, before, after)}")
    return Difference(tuple(renamed), tuple(added), tuple(widened), tuple(described), tuple(broken))


def _perhaps_renamed(
    name: str, before: Mapping[str, NestedField], after: Mapping[str, NestedField]
) -> str:
    """A hint, where exactly one new column beside the missing one has its type."""
    parent = name.rpartition(".")[0]
    like = [
        new
        for new, field in after.items()
        if new not in before
        and new.rpartition(".")[0] == parent
        and _change(before[name].field_type, field.field_type) == "same"
    ]
    if len(like) != 1:
        return ""
    last = name.rpartition(".")[2]
    return f" (if it is {like[0]} now, give that the custom property `aliases` with [{last}])"


def _with_new_names(
    struct: StructType,
    aliases: Mapping[str, tuple[str, ...]],
    before: str,
    after: str,
    renamed: list[tuple[str, str]],
) -> StructType:
    """The struct with every column under its new name; notes the renamed ones.

    Args:
        before: the struct's dotted path in the table, with a dot at its end.
        after: the same path under the new names.
    """
    present = {field.name for field in struct.fields}
    new_names = {
        former: name.removeprefix(after)
        for name, formers in aliases.items()
        if name.startswith(after)
        and "." not in name.removeprefix(after)
        and name.removeprefix(after) not in present
        for former in [next((each for each in formers if each in present), None)]
        if former is not None
    }
    fields = []
    for field in struct.fields:
        name = new_names.get(field.name, field.name)
        if name != field.name:
            renamed.append((before + field.name, after + name))
        inner = _inner(
            field.field_type, aliases, f"{before}{field.name}.", f"{after}{name}.", renamed
        )
        fields.append(field.model_copy(update={"name": name, "field_type": inner}))
    return StructType(*fields)


def _inner(
    kind: IcebergType,
    aliases: Mapping[str, tuple[str, ...]],
    before: str,
    after: str,
    renamed: list[tuple[str, str]],
) -> IcebergType:
    """The type, with the new names of the columns within it."""
    if isinstance(kind, ListType):
        element = _inner(kind.element_type, aliases, before, after, renamed)
        return ListType(kind.element_id, element, element_required=kind.element_required)
    if isinstance(kind, StructType):
        return _with_new_names(kind, aliases, before, after, renamed)
    return kind


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
    return isinstance(old, IntegerType | FloatType) and isinstance(
        new, LongType if isinstance(old, IntegerType) else DoubleType
    )


def _within(name: str, names: Collection[str]) -> bool:
    """Whether a column lies in one of those structs."""
    parents = name.split(".")
    return any(".".join(parents[:depth]) in names for depth in range(1, len(parents)))


def _name(kind: IcebergType) -> str:
    if isinstance(kind, ListType):
        return f"array of {_name(kind.element_type)}"
    return "struct" if isinstance(kind, StructType) else str(kind)
