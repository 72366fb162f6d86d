"""Schemas of the registry by their id, fetched once.

"Not in the registry" is an answer and remembered for a while; "the registry does not answer" is
not an answer and raises, so that no record is quarantined because a service was down.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any, Protocol

import requests

from millrace.errors import TransientError

#: How long an unknown id is believed: a producer may register its schema after its first record.
UNKNOWN_FOR_S = 10.0
TIMEOUT_S = 10.0
NOT_FOUND = 404


class RegistryUnreachableError(TransientError):
    """The registry did not answer, or not with what was asked."""

    def __init__(self, url: str, cause: str) -> None:
        super().__init__(f"schema registry {url}", cause, "make status")

    def __reduce__(self) -> tuple[type[RegistryUnreachableError], tuple[str, str]]:
        return type(self), (self.thing.removeprefix("schema registry "), self.cause)


@dataclass(frozen=True)
class RegisteredSchema:
    """One schema: its definition, and the subjects it is registered under."""

    definition: Any
    subjects: frozenset[str]


class SchemaSource(Protocol):
    """Where a decoder finds schemas."""

    def by_id(self, schema_id: int, subject: str) -> RegisteredSchema | None:
        """The schema, None where the registry has no such id; its subjects may lack the given."""


@dataclass
class Registry:
    """The registry's Confluent API, with a cache. A schema never changes under its id, but the
    same schema may be registered under a further subject at any time.
    """

    url: str
    _known: dict[int, RegisteredSchema] = field(default_factory=dict)
    _unfit_until: dict[tuple[int, str], float] = field(default_factory=dict)

    def by_id(self, schema_id: int, subject: str) -> RegisteredSchema | None:
        """The schema of an id, None where there is none.

        Raises:
            RegistryUnreachableError: the registry can not be asked now.
        """
        known = self._known.get(schema_id)
        if known is not None and subject in known.subjects:
            return known
        if time.monotonic() < self._unfit_until.get((schema_id, subject), 0.0):
            return known
        schema = self._get(f"schemas/ids/{schema_id}")
        subjects = self._get(f"schemas/ids/{schema_id}/subjects")
        if schema is not None and subjects is not None:
            known = RegisteredSchema(json.loads(schema["schema"]), frozenset(subjects))
            self._known[schema_id] = known
        if known is None or subject not in known.subjects:
            self._unfit_until[schema_id, subject] = time.monotonic() + UNKNOWN_FOR_S
        return known

    def _get(self, path: str) -> Any:
        address = f"{self.url}/apis/ccompat/v7/{path}"
        try:
            answer = requests.get(address, timeout=TIMEOUT_S)
            if answer.status_code == NOT_FOUND:
                return None
            answer.raise_for_status()
            return answer.json()
        except requests.RequestException as error:
            raise RegistryUnreachableError(self.url, str(error)) from error
