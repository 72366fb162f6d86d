"""What people see of one record: its bytes, what was wrong, and what the contract says today."""

from __future__ import annotations

import json
from typing import Any

from millrace.contracts import Contract
from millrace.landing.decoder import Decoder
from millrace.landing.reasons import Rejected
from millrace.landing.schemas import SchemaSource
from millrace.landing.sift import compile_sifter
from millrace.quarantine.records import QuarantinedRecord

#: Bytes of a value that are shown; more help nobody, and `--json` has them all.
SHOWN_BYTES = 2_000
HEX_WIDTH = 16


def describe(
    record: QuarantinedRecord, contract: Contract | None, schemas: SchemaSource
) -> dict[str, Any]:
    """Everything about a record, ready for JSON.

    Args:
        contract: of its dataset as it is now, None where there is none any more.
    """
    told: dict[str, Any] = {
        "position": str(record.position),
        "dataset": record.dataset,
        "status": record.status,
        "reason": record.reason,
        "field": record.field,
        "detail": record.detail,
        "schema_id": record.schema_id,
        "kafka_at": record.at.isoformat(),
        "quarantined_at": record.quarantined_at.isoformat(),
        "resolved_at": record.resolved_at.isoformat() if record.resolved_at else None,
        "resolution": record.resolution,
        "value_sha256": record.value_sha256,
        "replayed_sha256": record.replayed_sha256,
        "key": _text(record.key),
        "headers": [[name, _text(value)] for name, value in record.headers or ()],
        **_value(record.value),
    }
    if contract is None:
        return {**told, "today": f"contracts/{record.dataset}.yaml is gone"}
    return {**told, **_today(record, contract, schemas)}


def _today(record: QuarantinedRecord, contract: Contract, schemas: SchemaSource) -> dict[str, Any]:
    """The record as the contract reads it, and its verdict."""
    told: dict[str, Any] = {}
    if record.value is not None:
        try:
            decoded = Decoder(contract, schemas).decode(record.value).record
            told["decoded"] = json.loads(json.dumps(decoded, default=str))
        except Rejected:
            pass  # the verdict below says why
    sifted = compile_sifter(contract, schemas)([record.value])
    if not sifted.bad:
        return {**told, "today": "good: a replay would land it"}
    ((_, verdict),) = sifted.bad
    return {**told, "today": f"bad ({verdict.reason}): {verdict.detail}"}


def _text(value: bytes | None) -> str | None:
    """Bytes as text, else in hexadecimal."""
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return f"0x{value.hex()}"


def _value(value: bytes | None) -> dict[str, Any]:
    """A value as text where it is text, always with its bytes in hexadecimal."""
    if value is None:
        return {"value": None}
    text = _text(value)
    readable = text is not None and not text.startswith("0x") and "\0" not in text
    return {"bytes": len(value), "hex": value.hex(), **({"text": text} if readable else {})}


def summary(record: QuarantinedRecord) -> dict[str, Any]:
    """A record of a list, ready for JSON."""
    return {
        "position": str(record.position),
        "dataset": record.dataset,
        "status": record.status,
        "reason": record.reason,
        "detail": record.detail,
        "field": record.field,
        "quarantined_at": record.quarantined_at.isoformat(),
    }


def page(told: dict[str, Any]) -> str:
    """The description as lines for people."""
    lines = []
    for name, value in told.items():
        if value is None or name in ("hex", "text", "decoded", "headers"):
            continue
        lines.append(f"{name:16} {value}")
    lines += [f"{'header':16} {name}: {value}" for name, value in told["headers"]]
    if "decoded" in told:
        lines += ["decoded:", json.dumps(told["decoded"], indent=2, ensure_ascii=False)]
    if "text" in told:
        lines += ["text:", told["text"][:SHOWN_BYTES]]
    elif "hex" in told:
        lines += ["bytes:", *dump(bytes.fromhex(told["hex"])[:SHOWN_BYTES])]
    if told.get("bytes", 0) > SHOWN_BYTES:
        lines.append(f"... of {told['bytes']} bytes; all of them: --json")
    return "\n".join(lines)


def dump(value: bytes) -> list[str]:
    """Offset, bytes in hexadecimal, and what of them is ASCII."""
    lines = []
    for start in range(0, len(value), HEX_WIDTH):
        part = value[start : start + HEX_WIDTH]
        shown = "".join(chr(each) if 32 <= each < 127 else "." for each in part)  # noqa: PLR2004
        lines.append(f"{start:06x}  {part.hex(' '):{3 * HEX_WIDTH}} {shown}")
    return lines
