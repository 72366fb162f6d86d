"""The custom properties of a contract: what the standard has no word for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from open_data_contract_standard.model import CustomProperty

from millrace.contracts.document import Document, Path_
from millrace.contracts.suggest import suggestion

COMPATIBILITIES = (
    "BACKWARD",
    "BACKWARD_TRANSITIVE",
    "FORWARD",
    "FORWARD_TRANSITIVE",
    "FULL",
    "FULL_TRANSITIVE",
    "NONE",
)
LONGEST_RETENTION_DAYS = 36_500
MOST_PARTITIONS = 1_000


@dataclass(frozen=True)
class Property:
    """One custom property: its type and what it may be.

    Attributes:
        allowed: a closed list; empty where the bounds say it.
    """

    kind: type
    default: Any
    allowed: tuple[str, ...] = ()
    least: int = 1
    most: int = 0

    def remedy(self) -> str:
        """What to write."""
        if self.kind is bool:
            return "write true or false"
        if self.allowed:
            return f"write one of {', '.join(self.allowed)}"
        if self.kind is int:
            return f"write a whole number from {self.least} to {self.most}"
        return "write the name of a timestamp field"

    def takes(self, value: Any) -> bool:
        """Whether the value is one of this property's."""
        if type(value) is bool or self.kind is bool:
            return type(value) is self.kind
        if not isinstance(value, self.kind):
            return False
        if self.allowed:
            return value in self.allowed
        return not isinstance(value, int) or self.least <= value <= self.most


#: What the standard has no word for.
PROPERTIES: dict[str, Property] = {
    "eventTime": Property(str, None),
    "tier": Property(str, "hdfs", ("hdfs", "s3")),
    "format": Property(str, "avro", ("avro", "json")),
    "compatibility": Property(str, "BACKWARD", COMPATIBILITIES),
    "topicPartitions": Property(int, 3, most=MOST_PARTITIONS),
    "topicRetentionDays": Property(int, 7, most=LONGEST_RETENTION_DAYS),
    "keepValue": Property(bool, True),
    "maxBadPercent": Property(int, 5, most=100),
}


def read_properties(document: Document, written: Sequence[CustomProperty] | None) -> dict[str, Any]:
    """Every custom property, with its default where it is not given."""
    values = {name: own.default for name, own in PROPERTIES.items()}
    seen: set[str] = set()
    for index, given in enumerate(written or ()):
        at: Path_ = ("customProperties", index)
        name = given.property or ""
        if name not in PROPERTIES:
            document.refuse(
                at, f"there is no custom property {name!r}", suggestion(name, PROPERTIES)
            )
        elif name in seen:
            document.refuse(at, f"{name} is given twice", "remove one of the two")
        elif not PROPERTIES[name].takes(given.value):
            document.refuse(
                (*at, "value"), f"{name} can not be {given.value!r}", PROPERTIES[name].remedy()
            )
        else:
            values[name] = given.value
        seen.add(name)
    return values
