"""From an Open Data Contract Standard document to a `Contract`.

Source of truth for what may stand in a contract: `docs/reference/contracts.md`. Nothing in a
contract is silently ignored: a key that Millrace does not apply is refused, unless it only
describes. All problems of a file are found before it is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from open_data_contract_standard.model import (
    CustomProperty,
    OpenDataContractStandard,
    SchemaObject,
    Team,
)

from millrace.contracts import names
from millrace.contracts.document import Document, Path_
from millrace.contracts.fields import read_fields
from millrace.contracts.model import Contract, Field
from millrace.contracts.properties import LONGEST_RETENTION_DAYS, read_properties
from millrace.contracts.quality import read_rules
from millrace.contracts.suggest import refuse_other_keys

API_VERSIONS = ("v3.0.0", "v3.0.1", "v3.0.2", "v3.1.0", "v3.2.0")
#: Keys of the schema object that Millrace applies, and those that only describe.
OBJECT_KEYS = {"name", "physicalName", "properties", "quality"} | {
    "id",
    "logicalType",
    "physicalType",
    "description",
    "businessName",
    "synonyms",
    "authoritativeDefinitions",
    "tags",
    "dataGranularityDescription",
    "context",
}
DAYS = ("d", "day", "days")


def read_contract(document: Document) -> Contract:
    """The contract of a document.

    Raises:
        ContractError: with every problem of the file.
    """
    standard = document.standard()
    reading = _Reading(document, standard)
    reading.header()
    schema = reading.schema_object()
    fields = read_fields(document, schema.properties, ("schema", 0)) if schema else ()
    rules = read_rules(document, schema.quality, fields, ("schema", 0)) if schema else ()
    own = read_properties(document, standard.customProperties)
    event_time = reading.event_time(own["eventTime"], fields)
    retention_days = reading.retention_days()
    topic = reading.topic(schema)
    document.finish()
    assert schema is not None
    return Contract(
        dataset=str(standard.id),
        topic=topic,
        version=str(standard.version),
        description=reading.description(schema),
        owner=reading.owner(),
        fields=fields,
        key=reading.key(schema, fields),
        event_time=event_time,
        tier=own["tier"],
        retention_days=retention_days,
        topic_retention_days=own["topicRetentionDays"],
        format=own["format"],
        partitions=own["topicPartitions"],
        compatibility=own["compatibility"],
        keep_value=own["keepValue"],
        rules=rules,
        max_bad_percent=own["maxBadPercent"],
    )


@dataclass
class _Reading:
    """The parts of one contract, read one by one; problems go to the document."""

    document: Document
    standard: OpenDataContractStandard

    def header(self) -> None:
        """Refuse a file without the standard's four keys, or whose name is not its dataset's."""
        for key, example in (
            ("apiVersion", f"apiVersion: {API_VERSIONS[-1]}"),
            ("kind", "kind: DataContract"),
            ("id", f"id: {self.document.path.stem}"),
            ("version", "version: 1.0.0"),
        ):
            if getattr(self.standard, key) is None:
                self.document.refuse((), f"the key {key} is missing", f"add the line `{example}`")
        self._one_of("apiVersion", self.standard.apiVersion, API_VERSIONS)
        self._one_of("kind", self.standard.kind, ("DataContract",))
        dataset = self.standard.id
        if dataset is None:
            return
        stem = self.document.path.stem
        if not names.SNAKE_NAME.fullmatch(dataset) or len(dataset) > names.LONGEST_NAME:
            self.document.refuse(
                ("id",),
                f"{dataset!r} is no name for a dataset",
                "use lower-case words joined by underscores, as in `page_visits`",
            )
        elif dataset in names.RESERVED_DATASETS:
            self.document.refuse(("id",), f"{dataset} is a table of Millrace", "choose another id")
        elif dataset != stem:
            self.document.refuse(
                ("id",),
                f"the dataset {dataset} is not the file's name {stem}",
                f"write `id: {stem}`, or rename the file to {dataset}.yaml",
            )

    def schema_object(self) -> SchemaObject | None:
        """The one schema object, None where there is none to read."""
        objects = self.standard.schema_
        if not objects:
            self.document.refuse(
                ("schema",), "the key schema is missing or empty", "describe the fields under it"
            )
            return None
        if len(objects) > 1:
            self.document.refuse(
                ("schema", 1),
                "a contract describes one dataset, and this is a second schema",
                "move it to a file of its own",
            )
        schema = objects[0]
        if schema.name != self.standard.id:
            self.document.refuse(
                ("schema", 0, "name"),
                f"the schema's name {schema.name!r} is not the dataset",
                f"write `name: {self.standard.id}`",
            )
        refuse_other_keys(self.document, ("schema", 0), OBJECT_KEYS)
        return schema

    def topic(self, schema: SchemaObject | None) -> str:
        """The schema's physical name, or the dataset's with dots for underscores."""
        dataset = self.standard.id or ""
        if schema is None or schema.physicalName is None:
            return dataset.replace("_", ".")
        topic = schema.physicalName
        at = ("schema", 0, "physicalName")
        if not names.TOPIC_NAME.fullmatch(topic) or len(topic) > names.LONGEST_NAME:
            self.document.refuse(
                at,
                f"{topic!r} is no name for a topic",
                "use <entity> or <domain>.<entity> in lower case without underscores,"
                " as in `sensors.readings`",
            )
        elif topic.endswith(names.DEAD_LETTER_SUFFIX):
            self.document.refuse(
                at,
                f"topics that end in {names.DEAD_LETTER_SUFFIX} are dead letters",
                "name the topic after what it holds",
            )
        return topic

    def event_time(self, name: str | None, fields: Sequence[Field]) -> str | None:
        """The field that orders versions: the one given, else `updated_at` where there is one."""
        timestamps = [each.name for each in fields if each.type == "timestamp"]
        if name is None:
            return "updated_at" if "updated_at" in timestamps else None
        if name not in timestamps:
            self.document.refuse(
                self._custom("eventTime"),
                f"eventTime {name!r} is not a timestamp field of the schema",
                f"use one of {', '.join(timestamps)}" if timestamps else "remove it",
            )
        return name

    def retention_days(self) -> int:
        """The service level `retention`, in days."""
        days = 90
        for index, level in enumerate(self.standard.slaProperties or ()):
            if level.property != "retention":
                continue
            at = ("slaProperties", index)
            if level.unit not in DAYS:
                self.document.refuse(
                    (*at, "unit"), f"retention is counted in {level.unit!r}", "write `unit: d`"
                )
            elif type(level.value) is not int or not 1 <= level.value <= LONGEST_RETENTION_DAYS:
                self.document.refuse(
                    (*at, "value"),
                    f"retention can not be {level.value!r} days",
                    f"write a whole number from 1 to {LONGEST_RETENTION_DAYS}",
                )
            else:
                days = level.value
        return days

    def key(self, schema: SchemaObject, fields: Sequence[Field]) -> tuple[str, ...]:
        """The primary key's fields in the order of `primaryKeyPosition`, else as written."""
        positions = {
            each.name: each.primaryKeyPosition or index
            for index, each in enumerate(schema.properties or (), start=1)
        }
        keys = [each.name for each in fields if each.key]
        return tuple(sorted(keys, key=lambda name: positions[name]))

    def description(self, schema: SchemaObject) -> str:
        """What the dataset is, on one line."""
        described = self.standard.description
        text = (described.purpose if described else None) or schema.description or ""
        return " ".join(text.split())

    def owner(self) -> str:
        """The team's name."""
        team = self.standard.team
        return (team.name if isinstance(team, Team) else None) or "unowned"

    def _one_of(self, key: str, value: str | None, allowed: Sequence[str]) -> None:
        if value is not None and value not in allowed:
            self.document.refuse(
                (key,), f"{key} can not be {value!r}", f"write `{key}: {allowed[-1]}`"
            )

    def _custom(self, name: str) -> Path_:
        given: Sequence[CustomProperty] = self.standard.customProperties or ()
        for index, each in enumerate(given):
            if each.property == name:
                return ("customProperties", index, "value")
        return ()
