"""A contract as a page for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from millrace.contracts.model import Contract, Field


def datasets_page(contracts: Iterable[Contract], notice: str) -> str:
    """The reference page of all datasets and their fields, in Markdown."""
    head = f"# Datasets\n\n<!-- {notice} -->\n"
    return "\n".join([head, *(dataset_page(contract) for contract in contracts)])


def dataset_page(contract: Contract) -> str:
    """One dataset and its fields, in Markdown."""
    facts = (
        ("topic", f"`{contract.topic}`, {contract.partitions} partitions"),
        ("records", f"{contract.format}, {contract.compatibility}"),
        ("raw table", f"`iceberg.{contract.raw_table}` on {contract.tier}"),
        ("kept", f"{contract.retention_days} days, in the topic {contract.topic_retention_days}"),
        ("key", ", ".join(f"`{name}`" for name in contract.key) or "none"),
        ("latest by", f"`{contract.event_time or 'kafka_at'}`"),
        ("owner", contract.owner),
    )
    lines = [f"## {contract.dataset}\n\n{contract.description}\n", "| | |\n| --- | --- |"]
    lines.extend(f"| {name} | {value} |" for name, value in facts)
    lines.append("\n| field | type | required | rule | |\n| --- | --- | --- | --- | --- |")
    lines.extend(_rows(contract.fields, ""))
    return "\n".join([*lines, ""])


def _rows(fields: Iterable[Field], prefix: str) -> Iterator[str]:
    for field in fields:
        name = f"{prefix}{field.name}"
        inner = field.items.fields if field.items else field.fields
        kind = f"array of {field.items.type}" if field.items else field.type
        required = "yes" if field.required else ""
        yield f"| `{name}` | {kind} | {required} | {_rule(field)} | {field.description} |"
        yield from _rows(inner, f"{name}.")


def _rule(field: Field) -> str:
    """The bounds of a field in a few words."""
    unit = "items" if field.items else "characters"
    rules = [
        "key" if field.key else "",
        f"≥ {field.min}" if field.min is not None else "",
        f"≤ {field.max}" if field.max is not None else "",
        f"≥ {field.min_length} {unit}" if field.min_length is not None else "",
        f"≤ {field.max_length} {unit}" if field.max_length is not None else "",
        f"`{field.pattern}`".replace("|", "\\|") if field.pattern else "",
        ", ".join(f"`{value}`" for value in field.enum),
        f"in `{field.references}`" if field.references else "",
        "personal" if field.pii else "",
        f"masked: {field.mask}" if field.mask else "",
    ]
    return "; ".join(rule for rule in rules if rule)
