"""The contracts of a folder: one file a dataset, `<dataset>.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from millrace.contracts.document import Document
from millrace.contracts.errors import ContractError, Problem, UnknownDatasetError
from millrace.contracts.model import Contract
from millrace.contracts.reader import read_contract
from millrace.errors import MillraceError
from millrace.settings import load


def load_contract(path: Path) -> Contract:
    """The contract of one file.

    Raises:
        ContractError: the file is refused, with every problem in it.
        MillraceError: there is no such file.
    """
    try:
        return read_contract(Document(path))
    except OSError as error:
        cause = error.strerror or str(error)
        raise MillraceError(str(path), cause, "ls contracts  # and name a file of it") from None


def load_contracts(folder: Path | None = None) -> dict[str, Contract]:
    """Dataset to contract, in the order of the names; the folder defaults to the settings'.

    Raises:
        ContractError: the first file that is refused. `survey` finds the problems of all.
    """
    contracts, errors = survey(folder)
    if errors:
        raise errors[0]
    return contracts


def survey(folder: Path | None = None) -> tuple[dict[str, Contract], list[MillraceError]]:
    """The good contracts of a folder, and an error for each bad one."""
    folder = load().contracts if folder is None else folder
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        cause = "there is no contract in it"
        return {}, [MillraceError(str(folder), cause, "git checkout -- contracts")]
    contracts: dict[str, Contract] = {}
    errors: list[MillraceError] = []
    for path in paths:
        try:
            contract = load_contract(path)
        except MillraceError as error:
            errors.append(error)
        else:
            contracts[contract.dataset] = contract
    errors.extend(_shared_topics(folder, contracts) + _lost_references(folder, contracts))
    return contracts, errors


def find(dataset: str, contracts: Mapping[str, Contract]) -> Contract:
    """The contract of a dataset.

    Raises:
        UnknownDatasetError: naming near matches.
    """
    try:
        return contracts[dataset]
    except KeyError:
        raise UnknownDatasetError(dataset, tuple(contracts)) from None


def _shared_topics(folder: Path, contracts: Mapping[str, Contract]) -> list[MillraceError]:
    """Two datasets on one topic could not be told apart."""
    owners: dict[str, str] = {}
    errors: list[MillraceError] = []
    for contract in contracts.values():
        owner = owners.setdefault(contract.topic, contract.dataset)
        if owner != contract.dataset:
            cause = f"the topic {contract.topic} belongs to {owner} already"
            problem = Problem(1, "", cause, "give the schema a physicalName of its own")
            errors.append(ContractError(folder / f"{contract.dataset}.yaml", [problem]))
    return errors


def _lost_references(folder: Path, contracts: Mapping[str, Contract]) -> list[MillraceError]:
    """A relationship leads to a field that exists."""
    errors: list[MillraceError] = []
    for contract in contracts.values():
        for field in contract.every_field():
            if field.references is None:
                continue
            dataset, _, name = field.references.partition(".")
            target = contracts.get(dataset)
            if target is None or name not in {each.name for each in target.fields}:
                cause = f"{field.name} refers to {field.references}, which no contract has"
                problem = Problem(1, field.name, cause, "mend or remove its relationships")
                errors.append(ContractError(folder / f"{contract.dataset}.yaml", [problem]))
    return errors
