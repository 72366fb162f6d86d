"""The processed tables, derived from the contracts.

A dataset with a key becomes one table of its entities' latest states. An array of structs whose
items have a key becomes a table of its own: the lines of `orders` are `order_lines`. Spark builds
these tables, Great Expectations checks them, dbt reads them; all three take them from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from millrace.contracts import Contract, Field
from millrace.contracts.generated import child_table

NAMESPACE = "processed"
#: In a processed commit's summary: raw table -> the raw snapshot that it has read up to.
READ_UP_TO = "millrace.read-up-to"
#: The record that a row was made from, and when the row got its present content.
AUDIT_COLUMNS = (
    ("source_topic", "string"),
    ("source_partition", "int"),
    ("source_offset", "bigint"),
    ("source_at", "timestamp"),
    ("processed_at", "timestamp"),
)


@dataclass(frozen=True)
class ProcessedTable:
    """One processed table.

    Attributes:
        contract: of the dataset it is made from.
        key: the columns that identify a row; the dataset's own key comes first.
        fields: the columns that tell of the entity, in table order.
        child: the array whose items are the rows; None where the records themselves are.
        event_column: the column with the time of the record's event; None where the contract
            names none and the time of the record in Kafka (`source_at`) takes its place.
        by_month: whether it is partitioned by the month of that time.
    """

    name: str
    contract: Contract
    key: tuple[str, ...]
    fields: tuple[Field, ...]
    child: Field | None
    event_column: str | None
    by_month: bool

    @property
    def identifier(self) -> str:
        """Namespace and name."""
        return f"{NAMESPACE}.{self.name}"

    @property
    def time_column(self) -> str:
        """The column that orders the versions of an entity first."""
        return self.event_column or "source_at"

    @property
    def version_columns(self) -> tuple[str, ...]:
        """Columns whose greatest values, in this order, are the latest version: a total order."""
        event = (self.event_column,) if self.event_column else ()
        return (*event, "source_at", "source_partition", "source_offset")


def processed_tables(contracts: Iterable[Contract]) -> tuple[ProcessedTable, ...]:
    """The tables of all contracts with a key, a dataset's own before those of its arrays."""
    contracts = list(contracts)
    referred = {
        field.references.partition(".")[0]
        for contract in contracts
        for field in contract.every_field()
        if field.references
    }
    return tuple(
        table
        for contract in contracts
        if contract.key
        for table in _tables(contract, _tells_of_events(contract, referred))
    )


def _tells_of_events(contract: Contract, referred: set[str]) -> bool:
    """Whether it refers to others and none refers to it: its rows grow with time.

    Only such tables are partitioned. The latest states of things that others refer to are few,
    and a partition for each month they changed in would mean many small files.
    """
    refers = any(field.references for field in contract.every_field())
    return refers and contract.dataset not in referred


def _tables(contract: Contract, by_month: bool) -> Iterator[ProcessedTable]:
    children = [field for field in contract.fields if _has_keyed_items(field)]
    yield ProcessedTable(
        name=contract.dataset,
        contract=contract,
        key=contract.key,
        fields=tuple(field for field in contract.fields if field not in children),
        child=None,
        event_column=contract.event_time,
        by_month=by_month,
    )
    for child in children:
        assert child.items is not None
        parents = [contract.field(name) for name in contract.key]
        items = [field for field in child.items.fields if field.name not in contract.key]
        singular = contract.dataset.removesuffix("s")
        yield ProcessedTable(
            name=child_table(contract.dataset, child),
            contract=contract,
            key=(*contract.key, *(field.name for field in items if field.key)),
            fields=(*parents, *items),
            child=child,
            event_column=f"{singular}_{contract.event_time}" if contract.event_time else None,
            by_month=by_month,
        )


def _has_keyed_items(field: Field) -> bool:
    return field.items is not None and any(inner.key for inner in field.items.fields)
