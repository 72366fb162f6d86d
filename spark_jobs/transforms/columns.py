"""A processed table's columns as Spark types."""

from __future__ import annotations

from millrace.contracts import Field
from millrace.processed import AUDIT_COLUMNS, ProcessedTable

_PRIMITIVES = {"long": "bigint"}


def column_type(field: Field) -> str:
    """The Spark type of a contract's field, as DDL: `array<struct<id:string>>`."""
    if field.type == "struct":
        inner = ",".join(f"`{each.name}`:{column_type(each)}" for each in field.fields)
        return f"struct<{inner}>"
    if field.type == "array":
        assert field.items is not None
        return f"array<{column_type(field.items)}>"
    return _PRIMITIVES.get(field.type, field.type)


def table_columns(table: ProcessedTable) -> list[tuple[str, str, str]]:
    """Name, type and comment of every column, in table order."""
    columns = [(field.name, column_type(field), field.description) for field in table.fields]
    if table.child is not None and table.event_column is not None:
        event = table.contract.field(str(table.contract.event_time))
        columns.append((table.event_column, "timestamp", event.description))
    return [*columns, *((name, kind, "") for name, kind in AUDIT_COLUMNS)]


def former_names(table: ProcessedTable) -> dict[str, tuple[str, ...]]:
    """Column to the names that it had before its field was renamed."""
    names = {field.name: field.aliases for field in table.fields if field.aliases}
    if table.child is not None and table.event_column is not None:
        event = table.contract.field(str(table.contract.event_time))
        prefix = table.event_column.removesuffix(event.name)
        names[table.event_column] = tuple(f"{prefix}{alias}" for alias in event.aliases)
    return names
