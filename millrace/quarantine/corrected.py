"""A corrected value from a file: the exact bytes, or a JSON record in the contract's format."""

from __future__ import annotations

import decimal
import json
from pathlib import Path
from typing import Any

from millrace.contracts import Contract
from millrace.landing.decoder import MAGIC
from millrace.landing.reasons import Rejected
from millrace.landing.validator import compile_contract
from millrace.quarantine.errors import StillBadError, ValueFileError
from millrace.settings import Settings
from millrace_producers import client
from millrace_producers.encoding import make_encoder
from millrace_producers.values import UnknownField, row_parser


def read_value(path: Path, contract: Contract, settings: Settings) -> bytes:
    """The bytes that are to land in place of the record's own.

    Of an Avro dataset a file that starts with the registry's magic byte is taken as it is; another
    is one JSON record, which is encoded by the registered schema as a producer would.

    Raises:
        ValueFileError: the file holds no such thing.
        StillBadError: the record breaks the contract.
    """
    content = path.read_bytes()
    if not content.strip():
        raise ValueFileError(str(path), "it is empty")
    if contract.format == "json" or content[0] == MAGIC:
        return content
    record = _record(path, content, contract)
    try:
        compile_contract(contract)(record)
    except Rejected as verdict:
        raise StillBadError(
            str(path), contract.dataset, str(verdict.reason), verdict.detail
        ) from None
    registry = client.make_registry(settings)
    client.require_schema(registry, settings, contract)
    return make_encoder(contract, registry)(record)


def _record(path: Path, content: bytes, contract: Contract) -> dict[str, Any]:
    try:
        row = json.loads(content, parse_float=decimal.Decimal)
    except ValueError as error:
        raise ValueFileError(str(path), f"it is not one JSON record: {error}") from None
    if not isinstance(row, dict):
        raise ValueFileError(str(path), "it is JSON, but no object")
    try:
        return row_parser(contract.fields)(row)
    except UnknownField as unknown:
        cause = f"{contract.dataset} has no field {unknown.field}"
        raise ValueFileError(str(path), cause) from None
