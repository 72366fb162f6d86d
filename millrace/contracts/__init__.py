"""Contracts: the only description of a dataset, read from `contracts/*.yaml`.

A contract is an Open Data Contract Standard v3 file. This package turns it into a `Contract`, and
a `Contract` into what the services need: an Avro or JSON schema, an Iceberg schema, Arrow types,
checks. It reads files and nothing else; what it describes is made real by `millrace.apply`.
"""

from millrace.contracts.errors import ContractError, Problem, UnknownDatasetError
from millrace.contracts.model import Check, Contract, Field
from millrace.contracts.store import find, load_contract, load_contracts

__all__ = [
    "Check",
    "Contract",
    "ContractError",
    "Field",
    "Problem",
    "UnknownDatasetError",
    "find",
    "load_contract",
    "load_contracts",
]
