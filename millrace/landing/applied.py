"""Whether a table is as its contract says: what is not there can not be landed into.

A column that the table lacks would be left out of its rows without a word, and so would one that
the table has renamed since; a narrower one would send good records to quarantine.
"""

from __future__ import annotations

from collections.abc import Iterable

from pyiceberg.catalog import Catalog
from pyiceberg.schema import Schema

from millrace.apply.tables import raw_table
from millrace.contracts.model import Contract
from millrace.errors import TransientError
from millrace.landing.errors import TableMissingError
from millrace.landing.landed_table import LandedTable


class ContractsChangedError(TransientError):
    """The contracts are others than those being landed, and are applied: begin with them."""

    def __init__(self, dataset: str = "") -> None:
        named = f"contracts/{dataset}.yaml" if dataset else "the contracts"
        super().__init__(named, "changed and applied since landing began", "make plan")


class NoneAppliedError(TransientError):
    """No contract is applied, so there is nothing to land into."""

    def __init__(self, reasons: str) -> None:
        super().__init__("contracts", f"none of them is applied: {reasons}", "make apply")


def missing(schema: Schema, contract: Contract) -> str:
    """What the table lacks of its contract, as `make plan` says it; empty where it is applied."""
    difference = raw_table(contract).difference(schema)
    # A comment is no reason to wait.
    changes = difference.structure() or difference.broken
    return ", ".join(changes)


def require_columns(table: LandedTable, contract: Contract) -> None:
    """Make sure that the table has the contract's columns, by name and type.

    Raises:
        TableMissingError: the contract is not applied.
    """
    if lacks := missing(table.table.schema(), contract):
        cause = f"it is not as contracts/{contract.dataset}.yaml says: {lacks}"
        raise TableMissingError(table.name, cause)


def require_unchanged(table: LandedTable, contract: Contract) -> None:
    """The same of a table that was as its contract says when landing began.

    Raises:
        ContractsChangedError: another contract was applied to it meanwhile.
    """
    if missing(table.table.schema(), contract):
        raise ContractsChangedError(contract.dataset)


def require_applied(catalog: Catalog, contracts: Iterable[Contract]) -> None:
    """Make sure that every contract has its table, with all of its columns.

    Raises:
        TableMissingError: for the first that has not.
    """
    for contract in contracts:
        table = LandedTable(catalog, contract.raw_table)
        table.load()
        require_columns(table, contract)
