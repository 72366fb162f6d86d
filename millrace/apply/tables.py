"""Namespaces, raw tables and the quarantine table, through PyIceberg: no JVM is started.

A step reads the table again when it is performed, and is tried twice: landing commits to the same
tables meanwhile, and a change of the schema that loses the race against one is planned afresh.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import (
    CommitFailedException,
    NamespaceAlreadyExistsError,
    NoSuchNamespaceError,
    NoSuchTableError,
    TableAlreadyExistsError,
)
from pyiceberg.partitioning import PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table

from millrace.apply.evolution import Difference, compare
from millrace.apply.steps import Action, Step
from millrace.contracts import Contract
from millrace.contracts.iceberg_schema import (
    quarantine_partitioning,
    quarantine_schema,
    raw_partitioning,
)
from millrace.contracts.names import (
    QUARANTINE_DATASET,
    QUARANTINE_TABLE,
    RETENTION_DAYS,
    VALUE_COLUMN,
)
from millrace.contracts.places import NAMESPACES, raw_location
from millrace.table_properties import TABLE_PROPERTIES

KEY = "millrace.key"
#: The first landing column: a contract's new columns are placed before it.
FIRST_LANDING_COLUMN = "kafka_topic"

RAW_PROPERTIES = {
    **TABLE_PROPERTIES,
    # A landing batch belongs to one day or two: a shuffle before the write would gain nothing.
    "write.distribution-mode": "none",
}


@dataclass(frozen=True)
class Wanted:
    """A table as it should be.

    Attributes:
        may_lack: columns that a table may have and that are no longer wanted.
        aliases: dotted name of a column to its former names.
        file: the contract, for remedies.
    """

    identifier: str
    schema: Schema
    partitioning: PartitionSpec
    location: str
    properties: dict[str, str]
    may_lack: frozenset[str] = frozenset()
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    file: str = ""

    def difference(self, found: Schema) -> Difference:
        """How it differs from a table with this schema."""
        return compare(found, self.schema, may_lack=self.may_lack, aliases=self.aliases)


def raw_table(contract: Contract) -> Wanted:
    """The raw table of a contract."""
    schema = contract.iceberg_schema()
    properties = {
        **RAW_PROPERTIES,
        "comment": contract.description,
        "owner": contract.owner,
        "millrace.dataset": contract.dataset,
        RETENTION_DAYS: str(contract.retention_days),
        KEY: ",".join(contract.key),
    }
    return Wanted(
        identifier=contract.raw_table,
        schema=schema,
        partitioning=raw_partitioning(schema),
        location=contract.location,
        properties=properties,
        # Turning keepValue off keeps the bytes there are.
        may_lack=frozenset({VALUE_COLUMN}),
        aliases=contract.aliases(),
        file=f"contracts/{contract.dataset}.yaml",
    )


def quarantine_table() -> Wanted:
    """The table of the records that no raw table could take."""
    schema = quarantine_schema()
    properties = {
        **RAW_PROPERTIES,
        "comment": "Records that did not decode, validate or fit, with the reason",
        "owner": "millrace",
    }
    return Wanted(
        identifier=QUARANTINE_TABLE,
        schema=schema,
        partitioning=quarantine_partitioning(schema),
        location=raw_location(QUARANTINE_DATASET, "hdfs"),
        properties=properties,
    )


def plan_tables(catalog: Catalog, contracts: Iterable[Contract]) -> list[Step]:
    """One step a namespace, then one a table."""
    wanted = [*(raw_table(contract) for contract in contracts), quarantine_table()]
    return [
        *(plan_namespace(catalog, name, place) for name, place in NAMESPACES.items()),
        *(plan_table(catalog, each) for each in wanted),
    ]


def plan_namespace(catalog: Catalog, name: str, location: str) -> Step:
    """The step for one namespace."""
    thing = f"namespace {name}"
    try:
        found = catalog.load_namespace_properties(name).get("location", "").rstrip("/")
    except NoSuchNamespaceError:
        return Step(
            Action.CREATE, thing, location, lambda: _create_namespace(catalog, name, location)
        )
    # New tables name their folder themselves, so one made elsewhere by hand does no harm.
    return Step(Action.KEEP, thing, "" if found == location else f"at {found}")


def plan_table(catalog: Catalog, wanted: Wanted) -> Step:
    """The step for one table."""
    thing = f"table {wanted.identifier}"
    try:
        table = catalog.load_table(wanted.identifier)
    except (NoSuchTableError, NoSuchNamespaceError):
        return Step(Action.CREATE, thing, f"at {wanted.location}", lambda: _create(catalog, wanted))
    difference = wanted.difference(table.schema())
    broken = [*difference.broken, *_immovable(table, wanted, difference)]
    if broken:
        return Step(Action.REFUSE, thing, _refusal(broken, wanted))
    changed = _changed_properties(table, wanted)
    changes = difference.changes() + [f"{key}={value}" for key, value in changed.items()]
    if not changes:
        return Step(Action.KEEP, thing)
    return Step(Action.ALTER, thing, ", ".join(changes), lambda: _alter(catalog, wanted))


def _refusal(broken: Sequence[str], wanted: Wanted) -> str:
    lines = [
        f"{'; '.join(broken)}",
        f"  breaks queries, dbt models and jobs that read {wanted.identifier}",
    ]
    if wanted.file:
        remedy = f"  instead: give it back in {wanted.file}"
        if any("is gone" in each for each in broken):
            remedy += "; a field that is out of use stays, with `deprecated: true`"
        lines.append(remedy)
    return "it can not follow the contract" + "".join(f"\n    {line}" for line in lines)


def _immovable(table: Table, wanted: Wanted, difference: Difference) -> list[str]:
    """Differences that would need every file rewritten, or every consumer."""
    broken = []
    if table.location().rstrip("/") != wanted.location:
        broken.append(f"it lives at {table.location()}, not at {wanted.location}")
    found, expected = (
        [(schema.find_column_name(part.source_id), str(part.transform)) for part in spec.fields]
        for schema, spec in (
            (table.schema(), table.spec()),
            (wanted.schema, wanted.partitioning),
        )
    )
    if found != expected:
        broken.append(f"it is partitioned by {found}, not by {expected}")
    key = _key(table, difference)
    if key is not None and key != wanted.properties.get(KEY):
        broken.append(f"its key is {key!r}, and the contract says {wanted.properties.get(KEY)!r}")
    return broken


def _key(table: Table, difference: Difference) -> str | None:
    """The table's key, its columns under the names that they are about to have."""
    key = table.properties.get(KEY)
    if key is None:
        return None
    renamed = dict(difference.renamed)
    return ",".join(renamed.get(name, name) for name in key.split(","))


def _changed_properties(table: Table, wanted: Wanted) -> dict[str, str]:
    found = table.properties
    return {key: value for key, value in wanted.properties.items() if found.get(key) != value}


def _create_namespace(catalog: Catalog, name: str, location: str) -> None:
    try:
        catalog.create_namespace(name, {"location": location})
    except NamespaceAlreadyExistsError:
        return


def _create(catalog: Catalog, wanted: Wanted) -> None:
    try:
        catalog.create_table(
            wanted.identifier,
            wanted.schema,
            location=wanted.location,
            partition_spec=wanted.partitioning,
            properties={**wanted.properties, "format-version": "2"},
        )
    except TableAlreadyExistsError:
        return


def _alter(catalog: Catalog, wanted: Wanted) -> None:
    try:
        _alter_once(catalog, wanted)
    except CommitFailedException:
        _alter_once(catalog, wanted)


def _alter_once(catalog: Catalog, wanted: Wanted) -> None:
    table = catalog.load_table(wanted.identifier)
    difference = wanted.difference(table.schema())
    new = [name for name in difference.added if "." not in name and name != VALUE_COLUMN]
    with table.transaction() as transaction:
        if difference.renamed:
            with transaction.update_schema() as update:
                for former, name in difference.renamed:
                    update.rename_column(former, name.rpartition(".")[2])
        if difference.changes():
            with transaction.update_schema() as update:
                update.union_by_name(wanted.schema)
                for name in new:
                    update.move_before(name, FIRST_LANDING_COLUMN)
        if changed := _changed_properties(table, wanted):
            transaction.set_properties(changed)
