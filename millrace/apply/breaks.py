"""Why a schema may not follow another, said so that its author can mend it.

The registry judges; its own words are a path into a schema document. Here the two schemas are
compared again, field by field, and each difference that breaks somebody is said with whom it
breaks and what to write instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from millrace.apply.shapes import Shape

#: What a reader of the first may meet in records: Avro specification 1.11, schema resolution.
PROMOTED_TO = {
    "int": {"long", "float", "double"},
    "long": {"float", "double"},
    "float": {"double"},
    "string": {"bytes"},
    "bytes": {"string"},
}


@dataclass(frozen=True)
class Break:
    """One difference that breaks somebody.

    Attributes:
        field: its dotted name.
        change: what became of it.
        breaks: whom, and why.
        remedy: what to write instead, and where.
    """

    field: str
    change: str
    breaks: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.field}: {self.change}\n  breaks {self.breaks}\n  instead: {self.remedy}"


@dataclass(frozen=True)
class Rule:
    """A compatibility rule: who has to go on reading.

    Attributes:
        backward: readers by the new schema read the records that there are.
        forward: readers by the last schema read the new records.
    """

    name: str

    @property
    def backward(self) -> bool:
        """Whether what is written already has to stay readable."""
        return self.name.startswith(("BACKWARD", "FULL"))

    @property
    def forward(self) -> bool:
        """Whether those who read by the last schema have to stay able to."""
        return self.name.startswith(("FORWARD", "FULL"))


def said(breaks: Iterable[Break]) -> str:
    """The breaks one below the other, indented as a part of a plan's line."""
    lines = [line for each in breaks for line in str(each).splitlines()]
    return "".join(f"\n    {line}" for line in lines)


@dataclass(frozen=True)
class Comparison:
    """Two schemas of one subject, and how their differences are named.

    Attributes:
        closed: records may hold no field that the schema has not (JSON).
        file: the contract's.
    """

    rule: Rule
    closed: bool
    file: str

    def breaks(self, old: Shape, new: Shape) -> list[Break]:
        """What breaks somebody, in the order of the new schema."""
        return list(self._struct("", old, new))

    def _struct(self, path: str, old: Shape, new: Shape) -> Iterator[Break]:
        paired = {name: _former(name, shape, old) for name, shape in new.fields.items()}
        gone = [name for name in old.fields if name not in paired.values()]
        for name, shape in new.fields.items():
            former = paired[name]
            if former is not None:
                yield from self._pair(path, former, old.fields[former], name, shape)
            elif shape.required and self.rule.backward:
                yield self._new(
                    path, name, shape, [each for each in gone if _alike(old, each, shape)]
                )
        for name in gone:
            yield from self._gone(f"{path}{name}", old.fields[name])

    def _pair(self, path: str, former: str, old: Shape, name: str, new: Shape) -> Iterator[Break]:
        where = f"{path}{name}"
        if former != name and old.required and self.rule.forward:
            remedy = f"keep the name {former} in {self.file}, or add {name} beside it"
            yield Break(where, f"was {former}", self._readers("lack it under its old name"), remedy)
        if old.kind == new.kind == "struct":
            yield from self._struct(f"{where}.", old, new)
        elif old.items is not None and new.items is not None:
            yield from self._pair(path, name, old.items, name, new.items)
        elif old.kind != new.kind:
            yield from self._type(where, old, new)
        if new.required and not old.required and self.rule.backward:
            breaks = self._records("have null there, or lack it")
            remedy = f"remove `required: true` of {where} in {self.file}"
            yield Break(where, "was optional and is required", breaks, remedy)
        if old.required and not new.required and self.rule.forward:
            remedy = f"give `required: true` back to {where} in {self.file}"
            breaks = self._readers("count on a value")
            yield Break(where, "was required and is optional", breaks, remedy)

    def _type(self, where: str, old: Shape, new: Shape) -> Iterator[Break]:
        change = f"{old} -> {new}"
        remedy = f"give {where} its type {old} back in {self.file}, or add a field of another name"
        if new.kind not in PROMOTED_TO.get(old.kind, ()) and self.rule.backward:
            yield Break(where, change, self._records(f"hold {old}, which is no {new}"), remedy)
        elif old.kind not in PROMOTED_TO.get(new.kind, ()) and self.rule.forward:
            yield Break(where, change, self._readers(f"expect {old}"), remedy)

    def _new(self, path: str, name: str, shape: Shape, like: list[str]) -> Break:
        remedy = f"remove `required: true` of {path}{name} in {self.file}"
        if len(like) == 1:
            remedy += f"; if it is {like[0]} under another name, give it the custom property"
            remedy += f" `aliases` with [{like[0]}]"
        change = f"new and required ({shape})"
        return Break(f"{path}{name}", change, self._records("lack it"), remedy)

    def _gone(self, where: str, old: Shape) -> Iterator[Break]:
        remedy = f"give it back in {self.file}: a field that is out of use stays, with"
        remedy += " `deprecated: true` and not required"
        if self.closed and self.rule.backward:
            yield Break(where, "gone", self._records("hold it, and are refused then"), remedy)
        elif old.required and self.rule.forward:
            yield Break(where, "gone", self._readers("count on it"), remedy)

    def _records(self, why: str) -> str:
        return (
            f"landing, replay and every reader by the new schema: records in the topic {why}"
            f" ({self.rule.name})"
        )

    def _readers(self, why: str) -> str:
        return f"consumers that still read by the last schema: they {why} ({self.rule.name})"


def _former(name: str, shape: Shape, old: Shape) -> str | None:
    """The name that the field has in the old schema."""
    return next((each for each in (name, *shape.aliases) if each in old.fields), None)


def _alike(old: Shape, name: str, shape: Shape) -> bool:
    return str(old.fields[name]) == str(shape)
