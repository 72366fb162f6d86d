"""A YAML file whose every value knows its line.

The standard's own model checks names and types of the standard's keys (`open-data-contract-
standard`, strictly: `required: "yes"` is a string, not a boolean); the round-trip parser keeps
the positions that its errors lack.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from open_data_contract_standard.model import OpenDataContractStandard
from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from millrace.contracts.errors import ContractError, Problem

Step = str | int
Path_ = tuple[Step, ...]

_REMEDIES = {
    "string_type": "write text; put a number or a date in quotes",
    "bool_type": "write true or false, without quotes",
    "int_type": "write a whole number, without quotes",
    "list_type": "write a list: one entry a line, each after a dash",
    "model_type": "write nested keys: one a line, indented",
    "dict_type": "write nested keys: one a line, indented",
    "extra_forbidden": "remove it, or see docs/reference/contracts.md for the keys there are",
}


class Document:
    """One contract file as its author wrote it, and the problems found in it so far."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self._tree = self._parse(path)

    def standard(self) -> OpenDataContractStandard:
        """The file as the standard's model.

        Raises:
            ContractError: a key or a type is not the standard's.
        """
        try:
            return OpenDataContractStandard.model_validate(self._tree, strict=True)
        except ValidationError as error:
            for detail in error.errors():
                at = self._resolvable(detail["loc"])
                key = str(at[-1]) if at else "contract"
                cause = f"{key}: {_sentence(detail['msg'])}{_found(detail)}"
                remedy = _REMEDIES.get(detail["type"], "see docs/reference/contracts.md")
                self.refuse(at, cause, remedy)
            raise ContractError(self.path, _distinct(self.problems)) from None

    def refuse(self, at: Iterable[Step], cause: str, remedy: str) -> None:
        """Note a problem at a path of keys and list positions."""
        path = tuple(at)
        self.problems.append(Problem(self.line(path), self._field(path), cause, remedy))

    def keys(self, at: Path_) -> list[str]:
        """The keys written at that path."""
        node = self._node(at)
        return [str(key) for key in node] if isinstance(node, dict) else []

    def line(self, at: Path_) -> int:
        """The line of a path, or of the nearest part of it that was written."""
        node: Any = self._tree
        line = 1
        for step in at:
            if isinstance(node, CommentedMap) and step in node:
                line = node.lc.key(step)[0] + 1
            elif isinstance(node, CommentedSeq) and isinstance(step, int) and step < len(node):
                line = node.lc.item(step)[0] + 1
            else:
                break
            node = node[step]
        return line

    def finish(self) -> None:
        """Raise what was found, if anything was."""
        if self.problems:
            raise ContractError(self.path, self.problems)

    def _parse(self, path: Path) -> Any:
        try:
            tree = YAML(typ="rt").load(path.read_bytes())
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else 1
            cause = f"this is not YAML: {error.problem or error.context}"
            remedy = "mend the indentation, quotes or colons on that line or the one before it"
            raise ContractError(path, [Problem(line, "", cause, remedy)]) from None
        except (YAMLError, ValueError) as error:
            cause = f"this is not YAML text: {' '.join(str(error).split())[:200]}"
            remedy = "save the file as UTF-8 text"
            raise ContractError(path, [Problem(1, "", cause, remedy)]) from None
        if not isinstance(tree, dict):
            cause = "this is not a contract: no keys at its top level"
            remedy = "start from a contract that works, for example contracts/locations.yaml"
            raise ContractError(path, [Problem(1, "", cause, remedy)])
        return tree

    def _node(self, at: Path_) -> Any:
        node = self._tree
        for step in at:
            node = node[step]
        return node

    def _resolvable(self, location: tuple[Step, ...]) -> Path_:
        """The part of a validation error's location that names written keys.

        The rest are the names of the model's classes in a union.
        """
        node: Any = self._tree
        path: list[Step] = []
        for step in location:
            known = isinstance(node, dict) and step in node
            if known or (isinstance(node, list) and isinstance(step, int)):
                node = node[step]
                path.append(step)
        return tuple(path)

    def _field(self, at: Path_) -> str:
        """The dotted name of the field that a path lies in."""
        node: Any = self._tree
        names: list[str] = []
        for position, step in enumerate(at):
            try:
                node = node[step]
            except (KeyError, IndexError, TypeError):
                break
            within_properties = position > 0 and at[position - 1] == "properties"
            if within_properties and isinstance(node, dict):
                names.append(str(node.get("name", f"number {int(step) + 1}")))
        return ".".join(names)


def _sentence(message: str) -> str:
    return message[:1].lower() + message[1:]


def _found(detail: Any) -> str:
    value = detail["input"]
    return "" if isinstance(value, (dict, list)) else f", found {value!r}"


def _distinct(problems: list[Problem]) -> list[Problem]:
    """One problem a place: a union reports each of its members."""
    return list({(problem.line, problem.field): problem for problem in problems}.values())
