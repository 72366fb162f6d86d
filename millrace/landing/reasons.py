"""Why a record is quarantined: a closed list of classes.

The class is what statistics, alerts and replays select by; the detail beside it is free text.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """The class of a record's fault."""

    NOT_FRAMED = "not_framed"
    """An Avro record without the registry's magic byte and schema id."""
    UNKNOWN_SCHEMA = "unknown_schema"
    """The schema id is not in the registry."""
    SCHEMA_MISMATCH = "schema_mismatch"
    """The schema is in the registry, but is another subject's, or none of the record's format."""
    UNDECODABLE = "undecodable"
    """The bytes are not what their schema or format says."""
    MISSING_FIELD = "missing_field"
    """A required field is null or absent."""
    WRONG_TYPE = "wrong_type"
    """A value is not of its field's type."""
    OUT_OF_RANGE = "out_of_range"
    """A number, a length or a time is outside its bounds."""
    NOT_ALLOWED = "not_allowed"
    """A value is not among the allowed ones."""
    BAD_FORMAT = "bad_format"
    """A string does not match its pattern."""
    TOO_LARGE = "too_large"
    """The record is larger than landing takes."""
    BROKEN_RULE = "broken_rule"
    """The fields are good one by one, but break a rule of the contract between them."""


class Rejected(Exception):  # noqa: N818 - a verdict on a record, not an error of the program
    """A record that goes to quarantine.

    Args:
        reason: its class.
        detail: what exactly was wrong.
        field: dotted name of the field at fault, where there is one.
        schema_id: the registry id the record claims, where it was read.
    """

    def __init__(
        self, reason: Reason, detail: str, field: str | None = None, schema_id: int | None = None
    ) -> None:
        super().__init__(reason, detail, field, schema_id)
        self.reason = reason
        self.detail = detail
        self.field = field
        self.schema_id = schema_id
