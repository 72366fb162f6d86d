"""Records that quarantine is to catch: a known number of each class that can really happen.

A bad record is a copy of a good one with one fault, planted at a place among the good ones. What
makes it bad is made from the contract, so any contract can have some. Faults of the bytes
(framing, schema id, body) are done when it is sent, since the schema's id is known only then.

Two classes can not happen to an Avro dataset and are not planted there: `missing_field` and
`wrong_type`. A required field has no null in the Avro schema, and under BACKWARD compatibility the
registry takes no schema that would give it one. JSON datasets get both. `too_large` is left out:
it takes a topic with a limit of its own, above the 4 MiB that landing takes.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from millrace.contracts import Check, Contract
from millrace.contracts.model import ITEMS, CheckKind
from millrace.landing.reasons import Reason, Rejected
from millrace.landing.validator import compile_contract
from millrace_producers.encoding import Encoder, Record, to_json

#: An id that no registry reaches by counting.
UNKNOWN_SCHEMA_ID = 2_147_483_000
HEADER_BYTES = 5
#: Faults of the bytes, by format; the other classes are faults of a value.
DAMAGES: dict[str, tuple[Reason, ...]] = {
    "avro": (Reason.NOT_FRAMED, Reason.UNKNOWN_SCHEMA, Reason.UNDECODABLE),
    "json": (Reason.UNDECODABLE,),
}
Spoiler = Callable[[Any], Any]
RULES = (Reason.OUT_OF_RANGE, Reason.NOT_ALLOWED, Reason.BAD_FORMAT)


class BadRecord(NamedTuple):
    """A record with one fault.

    Attributes:
        before: the index of the good record that it is sent before.
        reason: the class of its fault.
        value: the record; a value of it is wrong unless its bytes are to be damaged.
    """

    before: int
    reason: Reason
    value: Record


def plant(
    contract: Contract, records: Sequence[Record], share: float, rng: random.Random
) -> list[BadRecord]:
    """Bad records for a dataset: its share of the good ones, and one of each class at least.

    Args:
        share: bad records for each good one; 0 gives none.
    """
    if not share or not records:
        return []
    classes = applicable(contract, records[0])
    number = max(len(classes), round(len(records) * share))
    places = sorted(rng.randrange(len(records)) for _ in range(number))
    reasons = [classes[index % len(classes)] for index in range(number)]
    rng.shuffle(reasons)
    bad_records = []
    for place, reason in zip(places, reasons, strict=True):
        # A record whose optional field is empty may have nothing to spoil; the first one has.
        value = spoil(contract, records[place], reason, rng) or spoil(
            contract, records[0], reason, rng
        )
        assert value is not None
        bad_records.append(BadRecord(place, reason, value))
    return bad_records


def applicable(contract: Contract, record: Record) -> tuple[Reason, ...]:
    """The classes that can be planted in a dataset, judged by one of its records."""
    rng = random.Random(0)
    return tuple(reason for reason in Reason if spoil(contract, record, reason, rng) is not None)


def spoil(contract: Contract, record: Record, reason: Reason, rng: random.Random) -> Record | None:
    """A copy that the validator puts into that class; None where no fault of it is possible.

    A fault of the bytes leaves the record as it is: `encode_bad` makes it.
    """
    if reason in DAMAGES[contract.format]:
        return record
    if contract.format == "avro" and reason not in RULES:
        return None
    judge = compile_contract(contract)
    spoilers = list(_spoilers(contract))
    rng.shuffle(spoilers)
    for check, bad_value in spoilers:
        spoiled = copy.deepcopy(record)
        holder = _holder(spoiled, check)
        if holder is None:
            continue
        holder[check.path[-1]] = bad_value(holder[check.path[-1]])
        try:
            judge(spoiled)
        except Rejected as rejected:
            if rejected.reason is reason:
                return spoiled
    return None


def encode_bad(contract: Contract, encode: Encoder, bad: BadRecord) -> bytes:
    """The bytes of a bad record as they are sent."""
    if bad.reason is Reason.NOT_FRAMED:
        return to_json(bad.value).encode()
    value = encode(bad.value)
    if bad.reason is Reason.UNKNOWN_SCHEMA:
        return value[:1] + UNKNOWN_SCHEMA_ID.to_bytes(4, "big") + value[HEADER_BYTES:]
    if bad.reason is Reason.UNDECODABLE:
        # The first third: it breaks off in the middle of a field, whatever the schema.
        return value[: HEADER_BYTES + (len(value) - HEADER_BYTES) // 3]
    return value


def _holder(record: Record, check: Check) -> Record | None:
    """The record or struct that has the checked value, where that value is there."""
    value: Any = record
    for step in check.path[:-1]:
        value = (value or [None])[0] if step == ITEMS else (value or {}).get(step)
    return value if value and value.get(check.path[-1]) is not None else None


def _spoilers(contract: Contract) -> Iterator[tuple[Check, Spoiler]]:
    """Each check with functions from a good value to one that is likely to fail it.

    Of an array the first item is spoiled; items that are no structs are left alone.
    """
    for check in contract.checks():
        if check.path[-1] == ITEMS:
            continue
        yield from ((check, spoiler) for spoiler in _SPOILERS[check.kind](check.bound))


def _fixed(value: Any) -> Spoiler:
    return lambda _: value


def _longer(bound: int) -> Spoiler:
    return lambda value: value * (bound // max(1, len(value)) + 1)


#: Kind of check -> from its bound, the functions that break it.
_SPOILERS: dict[CheckKind, Callable[[Any], tuple[Spoiler, ...]]] = {
    "required": lambda _: (_fixed(None), _fixed({"not": "of this type"})),
    "minimum": lambda low: (_fixed(low - 1),),
    "maximum": lambda high: (_fixed(high + 1),),
    "min_length": lambda low: (lambda value: value[: max(0, low - 1)],),
    "max_length": lambda high: (_longer(high),),
    "allowed": lambda _: (lambda value: f"{value}?",),
    "pattern": lambda _: (lambda value: f"? {value} ?",),
}
